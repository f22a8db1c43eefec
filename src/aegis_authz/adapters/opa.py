"""The PDP port over OPA: questions that arrive together are asked together."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import orjson

from aegis_authz.adapters.opa_http import OpaHttp, OpaUnreachable
from aegis_authz.core.decision import Decision, Evaluation
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.opa_answer import decisions_from_data, question_to_data

ANSWER_PATH = "/v1/data/aegis/authz/answer"
_Answer = Decision | Refused


@dataclass(frozen=True, slots=True)
class _Waiting:
    question: dict[str, Json]
    answer: asyncio.Future[_Answer]
    deadline: float


class OpaPdp:
    """`ports.Pdp` over a local OPA.

    While fewer than `max_queries` queries are under way a question goes out at once; otherwise it
    waits for the next one to end and shares a query of at most `max_batch` calls.
    """

    def __init__(self, http: OpaHttp, max_queries: int, max_batch: int) -> None:
        self._http = http
        self._max_queries = max_queries
        self._max_batch = max_batch
        self._waiting: list[_Waiting] = []
        self._queries: set[asyncio.Task[None]] = set()
        self._flush_is_due = False

    async def evaluate(self, question: Evaluation, deadline: float) -> Decision:
        """Judge one call. Raises Refused as `ports.Pdp` says."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(question_to_data(question), loop.create_future(), deadline)
        self._waiting.append(waiting)
        if not self._flush_is_due:
            # at the end of this turn of the loop: calls read from the socket together go together
            self._flush_is_due = True
            loop.call_soon(self._flush)
        try:
            async with asyncio.timeout_at(deadline):
                answer = await waiting.answer
        except TimeoutError:
            raise Refused(Reason.PDP_TIMEOUT, "no answer in time") from None
        if isinstance(answer, Refused):
            raise answer
        return answer

    async def close(self) -> None:
        """Wait for the queries under way and close the connections."""
        await asyncio.gather(*self._queries, return_exceptions=True)
        await self._http.close()

    def _flush(self) -> None:
        self._flush_is_due = False
        while self._waiting and len(self._queries) < self._max_queries:
            batch, self._waiting = self._waiting[: self._max_batch], self._waiting[self._max_batch :]
            batch = [waiting for waiting in batch if not waiting.answer.done()]
            if batch:
                query = asyncio.get_running_loop().create_task(self._query(batch))
                self._queries.add(query)
                query.add_done_callback(self._query_done)

    def _query_done(self, query: asyncio.Task[None]) -> None:
        self._queries.discard(query)
        self._flush()

    async def _query(self, batch: list[_Waiting]) -> None:
        try:
            answers = await self._ask(batch)
        except Refused as refusal:
            if len(batch) == 1 or refusal.reason in (Reason.PDP_UNAVAILABLE, Reason.PDP_TIMEOUT):
                answers = [refusal] * len(batch)
            else:
                answers = await self._one_by_one(batch)
        except Exception as fault:  # noqa: BLE001  # a bug: handed on to every call that waits
            for waiting in batch:
                if not waiting.answer.done():
                    waiting.answer.set_exception(fault)
            return
        for waiting, answer in zip(batch, answers, strict=True):
            if not waiting.answer.done():
                waiting.answer.set_result(answer)

    async def _one_by_one(self, batch: list[_Waiting]) -> list[_Answer]:
        """Find the one call that spoils a batch without harming its mates."""
        answers: list[_Answer] = []
        for waiting in batch:
            try:
                answers += await self._ask([waiting])
            except Refused as refusal:
                answers.append(refusal)
        return answers

    async def _ask(self, batch: list[_Waiting]) -> list[_Answer]:
        body = orjson.dumps({"input": {"calls": [waiting.question for waiting in batch]}})
        try:
            async with asyncio.timeout_at(max(waiting.deadline for waiting in batch)):
                status, answer = await self._http.post(ANSWER_PATH, body)
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
        return decisions_from_data(document.get("result"), len(batch))
