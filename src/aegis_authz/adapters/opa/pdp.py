"""The PDP port over OPA: calls that arrive together are judged in one query, but for long ones."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import orjson

from aegis_authz.adapters.batching.batcher import Batcher
from aegis_authz.adapters.opa.answers import Answers
from aegis_authz.adapters.opa.http import OpaHttp, OpaUnreachable
from aegis_authz.adapters.opa.turns import Turns
from aegis_authz.core.circumstances import CLOCKED
from aegis_authz.core.decision import Decision, Evaluation
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Monotonic, Revision
from aegis_authz.wire.opa.answer import decisions_from_data, query_of, question_to_data

_log = logging.getLogger(__name__)
ANSWER_PATH = "/v1/data/aegis/authz/answer"
_SERVICE_FAULTS = (Reason.PDP_UNAVAILABLE, Reason.PDP_TIMEOUT)
MAX_QUERIES = 2
"""Queries under way: while OPA judges one, the next is already with it."""
MAX_BATCH = 64
"""Calls in one query at most: all of them wait for the last,
and a query must end well inside a check's time for OPA.
"""
WINDOW = 0.006
"""Seconds between two queries under load: a query costs OPA as much as judging five calls (docs/decisions/0010)."""

LONG = 16 * 1024
"""Bytes of a call that is judged in a query of its own: nobody else waits until OPA has taken it in."""

_Question = bytes
_Answer = Decision | Refused


class OpaPdp:
    """`ports.Pdp` over a local OPA, with at most `max_queries` queries of at most `max_batch` calls under way.

    When many calls come, queries begin `window` seconds apart: most of a query's cost is not its calls'. With `answers`
    a question that OPA has answered is not asked again while they hold, unless what rules read of it is the time; a
    common question of several calls stands in a query once; and OPA is asked for its revision while they still hold.
    """

    def __init__(
        self,
        http: OpaHttp,
        max_queries: int = MAX_QUERIES,
        max_batch: int = MAX_BATCH,
        window: float = WINDOW,
        answers: Answers | None = None,
    ) -> None:
        self._http = http
        self._answers = answers
        self._batcher: Batcher[_Question, Decision] = Batcher(self._query, max_batch, max_queries, window)
        self._turns = Turns()
        self._confirming: asyncio.Task[None] | None = None

    async def evaluate(self, question: Evaluation, deadline: Monotonic) -> Decision:
        """Judge one call. Raises Refused as `ports.Pdp` says."""
        data = orjson.dumps(question_to_data(question))
        answers = self._answers if self._answers is not None and question.reads.isdisjoint(CLOCKED) else None
        try:
            if len(data) < LONG:
                if answers is None:
                    return await self._batcher.ask(data, deadline)
                decision = answers.find(data)
                if decision is None:
                    decision = await self._batcher.ask(data, deadline)
                    answers.keep(data, decision)
                elif answers.is_aged and self._confirming is None:
                    self._confirming = asyncio.get_running_loop().create_task(self._confirm(deadline))
                return decision
            async with asyncio.timeout_at(deadline), self._turns.turn(question.identity.scope):
                (answer,) = await self._query([data], deadline)
        except TimeoutError:
            raise Refused(Reason.PDP_TIMEOUT, "no answer in time") from None
        if isinstance(answer, Refused):
            raise answer
        return answer

    async def close(self) -> None:
        """Wait for the queries under way and close the connections."""
        await self._batcher.drain()
        if self._confirming is not None:
            await self._confirming
        await self._http.close()

    async def _confirm(self, deadline: Monotonic) -> None:
        """Have OPA name its revision. Should it not, the next call asks for itself, and has its fault for a reason."""
        try:
            await self._ask([], deadline)
        except Refused as refusal:
            _log.debug("OPA did not name its revision: %s", refusal)
        finally:
            self._confirming = None

    async def _query(self, questions: list[_Question], deadline: Monotonic) -> Sequence[_Answer]:
        if self._answers is None:
            return await self._query_unique(questions, deadline)
        unique = list(dict.fromkeys(questions))
        answers = await self._query_unique(unique, deadline)
        if len(unique) == len(questions):
            return answers
        found = dict(zip(unique, answers, strict=True))
        return [_copy_of(found[question]) for question in questions]

    async def _query_unique(self, questions: list[_Question], deadline: Monotonic) -> Sequence[_Answer]:
        try:
            return await self._ask(questions, deadline)
        except Refused as refusal:
            if len(questions) == 1 or refusal.reason in _SERVICE_FAULTS:
                return [Refused(refusal.reason, refusal.detail) for _ in questions]
            return await self._one_by_one(questions, deadline)

    async def _one_by_one(self, questions: list[_Question], deadline: Monotonic) -> Sequence[_Answer]:
        """Find the one call that spoils a batch without harming its mates."""
        answers: list[_Answer] = []
        for question in questions:
            try:
                answers += await self._ask([question], deadline)
            except Refused as refusal:
                answers.append(refusal)
        return answers

    async def _ask(self, questions: list[_Question], deadline: Monotonic) -> list[_Answer]:
        asked_at = 0.0 if self._answers is None else self._answers.now()
        try:
            async with asyncio.timeout_at(deadline):
                status, answer = await self._http.post(ANSWER_PATH, query_of(questions))
        except OpaUnreachable as fault:
            raise Refused(Reason.PDP_UNAVAILABLE, str(fault)) from None
        except TimeoutError:
            raise Refused(Reason.PDP_TIMEOUT, "no answer in time") from None
        if status != 200:
            raise Refused(Reason.DECISION_MALFORMED, f"OPA answered {status}")
        try:
            document = orjson.loads(answer)
        except orjson.JSONDecodeError:
            raise Refused(Reason.DECISION_MALFORMED, "OPA's answer is not JSON") from None
        if not isinstance(document, dict):
            raise Refused(Reason.DECISION_MALFORMED, "OPA's answer is not an object")
        decisions = decisions_from_data(document.get("result"), len(questions))
        if self._answers is not None:
            self._answers.confirm(Revision(document["result"]["revision"]), asked_at)  # which was just seen to be there
        return decisions


def _copy_of(answer: _Answer) -> _Answer:
    """The answer for another call that asks the same: each raises a refusal of its own."""
    return Refused(answer.reason, answer.detail) if isinstance(answer, Refused) else answer
