"""Stage 7: one event of everything known of a call, kept before the answer leaves."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from aegis_authz.check.charge import charge_records
from aegis_authz.check.deadline import Deadline
from aegis_authz.check.draft import Draft
from aegis_authz.check.refusal_tally import RefusalTally, may_count
from aegis_authz.core.call import CallKind, ToolCall
from aegis_authz.core.decision import (
    Decision,
    FilterTools,
    HideTools,
    Obligation,
    Redact,
    RedactionTerms,
    Target,
    changes_bodies,
    denied,
)
from aegis_authz.core.effect import Effect
from aegis_authz.core.identity import Identity
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import DECISION_VERSION, MOST_PATH, DecisionRecord, FindingName, WholePath
from aegis_authz.core.record_terms import RecordedParameters
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Monotonic
from aegis_authz.core.unrecorded_refusal import UnrecordedRefusal
from aegis_authz.evidence.sealing import sealed_for
from aegis_authz.ports.data_plane import Clock, RecordLog, Telemetry
from aegis_authz.redact.sanitizer import redacted_text
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.mcp.session import SESSION_HEADER, session_digest

_log = logging.getLogger(__name__)
_COUNT_SECONDS = 1.0
_MOST_REQUEST_ID = 128  # characters; Envoy makes 36, and takes over what a caller made
_NOT_IN_AN_ID = re.compile(r"[^!-~]")


@dataclass(frozen=True, slots=True)
class Recorder:
    """The record log and telemetry, as the pipeline uses them. `required`: no record, no allow."""

    records: RecordLog
    telemetry: Telemetry
    clock: Clock
    required: bool
    tally: RefusalTally = field(default_factory=RefusalTally)

    async def keep(self, decision: Decision, draft: Draft, deadline: Monotonic) -> Decision:
        """Return once the record is durable; RECORD_FAILED in place of anything but a denial when it is not.

        A refusal that the tally counts has no record of its own, and no wait for one.
        """
        if draft.settled is not None or not may_count(decision, draft.identity is not None):
            return await self._keep_whole(decision, draft, deadline)
        source = draft.http.source if draft.http is not None else draft.source
        if self.tally.is_full(decision.reason, source, draft.time):
            self.count(_without_record(decision, draft, source, self.clock))
            return decision
        with self.tally.recording(decision.reason, source):
            return await self._keep_whole(decision, draft, deadline)

    def count(self, refusal: UnrecordedRefusal) -> None:
        """Count a refusal that has no record of its own: for the record of all of them, and for metrics."""
        self.tally.count(refusal)
        self.telemetry.refused(refusal)

    async def _keep_whole(self, decision: Decision, draft: Draft, deadline: Monotonic) -> Decision:
        answer, record = decision, record_of(decision, draft, self.clock)
        _tell_of_limits(record)
        try:
            with Deadline(deadline):
                await self.records.append(record)
        except (Refused, TimeoutError) as fault:
            _log.error("decision %s was not recorded: %s", draft.decision_id, str(fault) or "too slow")
            if self.required and decision.effect is not Effect.DENY:
                answer = denied(Reason.RECORD_FAILED, str(fault), decision.revision)
                record = replace(record, effect=answer.effect, reason=answer.reason, detail=answer.detail)
        self.telemetry.decided(_shown(record, decision, draft), draft.trace)
        return answer

    async def keep_counts(self) -> None:
        """Record what was counted since the last time; what cannot be recorded is counted on."""
        for record in self.tally.take(self.clock.now()):
            try:
                await self.records.append(record)
            except Refused as refusal:
                _log.error("%d refusals were not recorded: %s", record.count, refusal)
                self.tally.add(record)

    async def watch_counts(self) -> None:
        """Record what was counted, once a second, until cancelled."""
        while True:
            await asyncio.sleep(_COUNT_SECONDS)
            await asyncio.shield(self.keep_counts())  # what was taken is written, also when the worker stops now


def _without_record(decision: Decision, draft: Draft, source: str, clock: Clock) -> UnrecordedRefusal:
    return UnrecordedRefusal(
        draft.decision_id,
        draft.time,
        decision.effect,
        decision.reason,
        source,
        draft.identity,
        draft.stages(),
        (clock.monotonic() - draft.started) * 1000,
    )


def record_of(decision: Decision, draft: Draft, clock: Clock) -> DecisionRecord:
    """Everything known of the call, as the one event that is kept of it; of one of another region, only that."""
    if draft.is_foreign:
        draft = draft.bare()
    http, call, settled = draft.http, draft.call, draft.settled
    withholds = _withholds(decision, draft)
    terms, auditor = _terms(draft)
    parameters = _parameters(call, withholds, terms) if call else {}
    path = http.path if http else ""
    judged_path = _path(withholds, path) if withholds.changes_bodies else path
    is_long = len(judged_path) > MOST_PATH or _is_hashed(call, terms)
    record = DecisionRecord(
        version=DECISION_VERSION,
        decision_id=draft.decision_id,
        time=draft.time,
        effect=decision.effect,
        reason=decision.reason,
        detail=decision.detail,
        identity=_identity(draft.identity, call is not None and len(parameters) == len(call.parameters)),
        tool=call.tool if call else "",
        action=call.action if call else "",
        kind=call.kind if call else None,
        rpc_method=call.rpc.method if call else "",
        parameters=parameters,
        withheld=len(call.parameters) - len(parameters) if call else 0,
        digest=call.digest if call else "",
        method=http.method if http else "",
        scheme=http.scheme if http else "",
        host=http.host if http else "",
        port=http.port if http else None,
        path="" if _is_hashed(call, terms) else judged_path[:MOST_PATH],
        whole_path=_whole_path(judged_path) if is_long else None,
        sealed=None,
        source=http.source if http else draft.source,
        environment=draft.environment,
        policies=decision.policies,
        revision=decision.revision,
        obligations=decision.obligations,
        findings=tuple([FindingName(finding.parameter, finding.condition) for finding in decision.findings]),
        would=decision.would.value if decision.would is not None else "",
        approval_id=settled.approval_id if settled is not None else "",
        approved_by=settled.granted_by if settled is not None else "",
        charges=charge_records(draft.charging, settled.accounts) if settled is not None else (),
        quarantined_until=settled.quarantined_until / 1000 if settled is not None else 0.0,
        cost=draft.cost.money if draft.cost is not None else None,
        mcp_session=_session(http) if http else "",
        request_id=_NOT_IN_AN_ID.sub("?", http.request_id[:_MOST_REQUEST_ID]) if http else "",
        trace_id=(draft.traceparent or draft.caller)[3:35],
        stages=draft.stages(),
        total_ms=round((clock.monotonic() - draft.started) * 1000, 3),
    )
    # a call that was not read may hold parameters in its path
    has_any = call is None or bool(call.parameters)
    return record if auditor is None or not has_any else _sealed(record, auditor, call)


def _sealed(record: DecisionRecord, auditor: bytes, call: ToolCall | None) -> DecisionRecord:
    """The record of a call that is sealed: what it holds in the clear, and that for the auditor alone."""
    path = record.path
    return replace(
        record,
        identity=_identity(record.identity, is_whole=False),
        parameters={},
        withheld=len(call.parameters) if call else 0,
        path="",
        whole_path=record.whole_path or _whole_path(path),
        sealed=sealed_for(auditor, record),
    )


def _tell_of_limits(record: DecisionRecord) -> None:
    """Log what operators may want to hear of before the next call is refused, once each time it comes about."""
    if record.effect.lets_through:
        for charge in record.charges:
            if charge.mark:
                facts = (charge.name, charge.policy, charge.holder, charge.mark)
                _log.warning("the limit %s of %s is used by %s to %d %%", *facts)
    if record.quarantined_until and record.reason is not Reason.QUARANTINED and record.identity is not None:
        _log.warning("%s is quarantined: decision %s", record.identity.scope, record.decision_id)


def _withholds(decision: Decision, draft: Draft) -> Decision:
    """Whose obligations say what a record leaves out: of a call that is refused after all, those of its policy."""
    return decision if draft.judged is None or decision.obligations else draft.judged


def _parameters(call: ToolCall, decision: Decision, terms: RecordedParameters) -> Mapping[str, Json]:
    """What of the parameters is kept: what policy wants redacted from the call has no place in its record either."""
    if terms is RecordedParameters.HASHED:
        return {}
    if terms in (RecordedParameters.CLEAR, RecordedParameters.SEALED):
        return {} if _redacts_request(decision) else call.parameters
    if decision.changes_bodies or decision.effect is Effect.SANITIZE:
        return {}
    return {name: call.parameters[name] for name in call.declared if name in call.parameters}


def _redacts_request(decision: Decision) -> bool:
    return any(map(_is_of_request, decision.obligations))


def _is_of_request(obligation: Obligation) -> bool:
    """Whether it changes what the agent sends; lists of tools are filtered in answers."""
    if isinstance(obligation, Redact | RedactionTerms):
        return obligation.target is Target.REQUEST
    return changes_bodies(obligation) and not isinstance(obligation, FilterTools | HideTools)


def _terms(draft: Draft) -> tuple[RecordedParameters, bytes | None]:
    """What the record may hold, and who alone opens it where it is sealed."""
    if draft.identity is None or draft.snapshot is None:
        return RecordedParameters.DECLARED, None
    scope = draft.identity.scope
    return draft.snapshot.records.of(scope), draft.snapshot.records.auditor_of(scope)


def _is_hashed(call: ToolCall | None, terms: RecordedParameters) -> bool:
    """Whether the path may hold parameters that the record must not: that of a call that was not read may."""
    may_hold = call is None or (call.kind is CallKind.ACTION and bool(call.parameters))
    return terms is RecordedParameters.HASHED and may_hold


def _shown(record: DecisionRecord, decision: Decision, draft: Draft) -> DecisionRecord:
    """The record as telemetry hears of it: of no parameter that it does not hold, or that is not declared."""
    if not record.parameters or draft.call is None or _terms(draft)[0] is not RecordedParameters.CLEAR:
        return record
    withholds = _withholds(decision, draft)
    return replace(record, parameters=_parameters(draft.call, withholds, RecordedParameters.DECLARED))


def _identity(identity: Identity | None, is_whole: bool) -> Identity | None:
    """Who called; of the grant neither tools nor values where not all of the call is kept either."""
    if identity is None or identity.grant is None or is_whole:
        return identity
    chain = tuple(replace(narrowing, tools=None) for narrowing in identity.grant.chain)
    return replace(identity, grant=replace(identity.grant, chain=chain))


def _session(http: HttpCall) -> str:
    ids = http.headers.get(SESSION_HEADER, ())
    return session_digest(ids[0]) if ids else ""


def _whole_path(path: str) -> WholePath:
    return WholePath(len(path), hashlib.sha256(path.encode()).hexdigest())


def _path(decision: Decision, path: str) -> str:
    """The path as it was redacted; "" of a call that is refused because nothing could be."""
    try:
        return redacted_text(path, decision.obligations)
    except Refused:
        return ""
