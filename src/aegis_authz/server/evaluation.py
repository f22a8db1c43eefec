"""The evaluation endpoint: for a function it is what Envoy is for a request. It asks, it redacts, it tells the outcome.

A question goes through the very handler that Envoy asks, and its answer is obeyed as Envoy obeys it: nothing is decided
here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import orjson

from aegis_authz.check.attend import attended
from aegis_authz.check.body_terms import read_terms
from aegis_authz.check.pipeline import Pipeline
from aegis_authz.check.shares import Shares
from aegis_authz.check.withhold import withheld
from aegis_authz.core.decision import Obligation, Redact, RedactionTerms, Target
from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import AGENT_REPORT
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Monotonic
from aegis_authz.encoding import strict_json
from aegis_authz.identity.outcome_ticket import OutcomeTicket, opened, sealed
from aegis_authz.server.authz import CheckHandler
from aegis_authz.server.ext_proc import THREAD_FROM
from aegis_authz.server.outcomes import Outcomes
from aegis_authz.server.value_redaction import ValueRedactor
from aegis_authz.wire.authzen.answer import allowance, argument_obligation, refusal, result_obligation
from aegis_authz.wire.authzen.outcome import Outcome, Report, read_report
from aegis_authz.wire.authzen.question import read_question
from aegis_authz.wire.envoy.access_log import LogEntry
from aegis_authz.wire.envoy.answer import Answer
from aegis_authz.wire.envoy.ext_authz import COST_METADATA, DECISION_METADATA
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.opa.obligations import obligations_from_data, obligations_to_data

MOST_REPORTS = 24
"""Reports of outcomes that may be under way, of which each agent has its share."""
_log = logging.getLogger(__name__)
_OBLIGATIONS = "obligations"
_STATUS = {Outcome.DONE: 200, Outcome.FAILED: 500, Outcome.NOT_CALLED: 0}
_SETTLE_SECONDS = 1.0
_NONCE_DIGITS = 24

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer in HTTP. The body is JSON."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class EvaluationDesk:
    """Answers questions, and takes the outcomes of the calls that were let through. `url` is where it is reached."""

    def __init__(
        self, pipeline: Pipeline, checks: CheckHandler, redactor: ValueRedactor, outcomes: Outcomes, outcome_url: str
    ) -> None:
        self._pipeline = pipeline
        self._checks = checks
        self._redactor = redactor
        self._outcomes = outcomes
        self._outcome_url = outcome_url
        self._reports = Shares(lambda: MOST_REPORTS)

    @property
    def requests_base(self) -> str:
        """Where access requests are taken, "" for nowhere. Raises Refused before there is a bundle."""
        return self._pipeline.snapshots.current().status_base

    async def evaluate(self, http: HttpCall, time_left: float, gone: asyncio.Event) -> Reply:
        """Answer a question. `time_left` are the seconds that its caller waits; `gone` is set when it has left."""
        answer = await self._checks.answer(http, "", time_left, gone)
        if not answer.effect.lets_through:
            return _refused(answer.status, answer.client_headers, answer.body)
        began = self._pipeline.clock.now()
        try:
            return await self._allowed(http, answer, began)
        except Refused as refused:
            reason = refused.reason
            _log.warning("a question was answered with a denial after its decision: %s", refused)
        except Exception as fault:  # noqa: BLE001  # the last resort: whatever went wrong, the function is not called
            reason = Reason.INTERNAL_FAULT
            _log.error("a question could not be answered: %s", type(fault).__name__)
        decision_id, cost = answer.metadata[DECISION_METADATA], answer.metadata.get(COST_METADATA, "")
        await self._outcomes.settle([self._entry(decision_id, cost, began, Outcome.NOT_CALLED)])
        answer_instead = withheld(reason, Target.REQUEST, None)
        headers = {**answer_instead.headers, "x-aegis-decision-id": decision_id}
        return _refused(answer_instead.status, headers, answer_instead.body, decision_id)

    async def report(self, http: HttpCall) -> Reply:
        """Take an outcome: redact the result where that is due, record what became of the call, and settle it."""
        clock = self._pipeline.clock
        try:
            until = Monotonic(clock.monotonic() + _SETTLE_SECONDS)
            async with attended(self._pipeline, http, self._reports, until) as identity:
                report = await _read(read_report, http)
                keys = self._pipeline.session_keys.session_keys()
                ticket = opened(report.ticket, keys, str(identity.scope), clock.now())
                return await self._reported(report, ticket)
        except Refused as refused:
            _log.warning("an outcome was not taken: %s", refused)
            answer = withheld(refused.reason, Target.REQUEST, None)
        except Exception as fault:  # noqa: BLE001  # the last resort: nothing comes back that was not redacted
            _log.error("an outcome could not be taken: %s", type(fault).__name__)
            answer = withheld(Reason.INTERNAL_FAULT, Target.REQUEST, None)
        return Reply(answer.status, answer.headers, answer.body)

    async def _allowed(self, http: HttpCall, answer: Answer, began: float) -> Reply:
        question, decision_id = await _read(read_question, http), answer.metadata[DECISION_METADATA]
        has_terms = answer.effect is Effect.SANITIZE or _OBLIGATIONS in answer.metadata
        obligations = read_terms(answer.metadata).obligations if has_terms else ()
        demands: list[Json] = []
        if _of(obligations, Target.REQUEST):
            arguments = dict(question.arguments)
            output = await self._redactor.redacted(decision_id, obligations, Target.REQUEST, arguments)
            if not isinstance(output, dict) or output.keys() != arguments.keys():
                raise Refused(Reason.OBLIGATION_UNMET, "what is redacted has not the same arguments")
            demands.append(argument_obligation(output))
        of_result = _of(obligations, Target.RESPONSE)
        if of_result:
            demands.append(result_obligation())
        ticket = OutcomeTicket(
            decision_id=decision_id,
            scope=question.subject,  # which the pipeline held against the credential
            cost=answer.metadata.get(COST_METADATA, ""),
            obligations=obligations_to_data(of_result),
            decided_at=began,
        )
        nonce = bytes.fromhex(self._pipeline.ids.token()[:_NONCE_DIGITS])
        outcome: dict[str, Json] = {
            "endpoint": self._outcome_url,
            "ticket": sealed(ticket, self._pipeline.session_keys.session_keys(), nonce),
        }
        body = allowance(answer.effect.value, decision_id, demands, outcome)
        return Reply(200, answer.client_headers, body)

    async def _reported(self, report: Report, ticket: OutcomeTicket) -> Reply:
        """The result that may be shown, once it is on record what became of the call, whatever became of its result."""
        obligations = obligations_from_data(ticket.obligations)
        document: dict[str, Json] = {"outcome": report.outcome.value}
        trouble: Refused | None = None
        if report.has_result:
            try:
                document["result"] = await self._redactor.redacted(
                    ticket.decision_id, obligations, Target.RESPONSE, report.result
                )
            except Refused as refused:
                trouble = refused
        entry = self._entry(ticket.decision_id, ticket.cost, ticket.decided_at, report.outcome)
        await self._outcomes.settle([entry])
        headers = {"x-aegis-decision-id": ticket.decision_id}
        if trouble is None:
            return Reply(200, headers, orjson.dumps(document))
        _log.warning("a result was withheld: %s", trouble)
        answer = withheld(trouble.reason, Target.RESPONSE, None)
        return Reply(answer.status, {**answer.headers, **headers}, answer.body)

    def _entry(self, decision_id: str, cost: str, began: float, outcome: Outcome) -> LogEntry:
        now = self._pipeline.clock.now()
        return LogEntry(
            decision_id=decision_id,
            cost=cost,
            trace=None,
            ended_at=now,
            status=_STATUS[outcome],
            details=AGENT_REPORT,
            flags=(),
            was_reached=outcome is not Outcome.NOT_CALLED,
            request_bytes=0,
            response_bytes=0,
            upstream_ms=None,
            duration_ms=round(max(0.0, now - began) * 1000, 3),
        )


async def _read(read: Callable[[HttpCall], T], http: HttpCall) -> T:
    """What is read of a body, beside the event loop where that would take long."""
    return await asyncio.to_thread(read, http) if len(http.body) > THREAD_FROM else read(http)


def _of(obligations: Sequence[Obligation], target: Target) -> list[Obligation]:
    return [
        obligation
        for obligation in obligations
        if isinstance(obligation, Redact | RedactionTerms) and obligation.target is target
    ]


def _refused(status: int, headers: Mapping[str, str], problem: bytes, decision_id: str = "") -> Reply:
    """A problem document as the answer to a question. What was judged and denied is no error of HTTP."""
    members = strict_json.parse(problem)
    members = members if isinstance(members, dict) else {}
    if decision_id:
        members = {**members, "decision_id": decision_id}
    is_error = status in (400, 401, 413, 415) or status >= 500
    return Reply(status if is_error else 200, headers, refusal(members))
