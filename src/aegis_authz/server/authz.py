"""The ext_authz handler: message in, message out; knows nothing of its host."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Protocol

from aegis_authz.check.draft import Draft
from aegis_authz.check.fulfil import NOTHING_TO_FULFIL
from aegis_authz.check.hold import Hold, Judgement
from aegis_authz.check.respond import respond
from aegis_authz.core.decision import denied
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.units import NO_REVISION, DecisionId, Monotonic, Seconds
from aegis_authz.ports.data_plane import Clock
from aegis_authz.server.admission import Admission
from aegis_authz.server.holding import HoldEnd, Holds
from aegis_authz.wire.envoy.answer import Answer
from aegis_authz.wire.envoy.ext_authz import write_check_response
from aegis_authz.wire.http.call import HttpCall

_log = logging.getLogger(__name__)
_DEFAULT_TIME = 1.0


_REFUSALS: Mapping[HoldEnd, Reason] = {
    HoldEnd.DENIED: Reason.APPROVAL_DENIED,
    HoldEnd.WITHDRAWN: Reason.APPROVAL_NOT_GRANTED,
}


@dataclass(frozen=True, slots=True)
class CheckTimes:
    """`decision` is what one decision may take with its record, however long the caller would wait.

    `reserve` of the caller's time is kept back, so that our own answer arrives before the caller gives up.
    """

    decision: Seconds
    reserve: Seconds


class DecisionPoint(Protocol):
    """What the handler asks: Pipeline, seen from outside."""

    @property
    def clock(self) -> Clock:
        """By which deadlines are."""
        ...

    async def judged(
        self, request: bytes | HttpCall, traceparent: str, deadline: Monotonic, resumes: Hold | None
    ) -> Judgement:
        """As `Pipeline.judged`."""
        ...

    async def deny(self, hold: Hold, reason: Reason, deadline: Monotonic) -> Answer:
        """As `Pipeline.deny`."""
        ...

    async def refuse(self, reason: Reason, request: bytes | HttpCall, traceparent: str, deadline: Monotonic) -> Answer:
        """As `Pipeline.refuse`."""
        ...

    def shed(self, reason: Reason, message: bytes) -> bytes | None:
        """As `Pipeline.shed`."""
        ...


class CheckHandler:
    """Answers Check calls, as many at once as `admission` lets in; beyond that, OVERLOADED.

    A call that waits for a person is kept open where its policy wants that, its caller has the time, and `holds` has
    room. Meanwhile it takes nothing of the admission: what it may take counts for each of its two decisions.
    """

    def __init__(self, pipeline: DecisionPoint, admission: Admission, times: CheckTimes, holds: Holds) -> None:
        self._pipeline = pipeline
        self._admission = admission
        self._times = times
        self._holds = holds
        self._running = 0
        self._idle = asyncio.Event()
        self._last_resort = _last_resort(pipeline)
        self._last_message = write_check_response(self._last_resort)

    def __call__(
        self, message: bytes, traceparent: str, time_left: float | None, gone: asyncio.Event
    ) -> bytes | Coroutine[None, None, bytes]:
        """Answer a CheckRequest with one CheckResponse, at once or by work. Never raises; its host must not cancel it.

        `traceparent` is the W3C header of the gRPC metadata, "" for none; `time_left` the seconds
        until the caller gives up, None when it would wait for ever. `gone` is set when the caller has left.
        """
        refusal = self._shed(message)
        return self._checked(message, traceparent, time_left, gone) if refusal is None else refusal

    async def _checked(self, message: bytes, traceparent: str, time_left: float | None, gone: asyncio.Event) -> bytes:
        refusal = self._shed(message)  # calls that came together are begun one after the other
        if refusal is not None:
            return refusal
        try:
            return write_check_response(await self.answer(message, traceparent, time_left, gone))
        except Exception:  # noqa: BLE001  # whatever it is, the answer is a denial
            _log.exception("an answer could not be written")
            return self._last_message

    def _shed(self, message: bytes) -> bytes | None:
        """The answer to a call for which there is no room, None where there is, or where the refusal is recorded."""
        if not self._admission.is_full:
            return None
        try:
            return self._pipeline.shed(Reason.OVERLOADED, message)
        except Exception:  # noqa: BLE001  # whatever it is, the answer is a denial
            _log.exception("a refusal could not be built")
            return self._last_message

    async def answer(
        self, message: bytes | HttpCall, traceparent: str, time_left: float | None, gone: asyncio.Event
    ) -> Answer:
        """The answer to a CheckRequest, or to a question to the evaluation endpoint; the rest is as above."""
        now, times = self._pipeline.clock.monotonic(), self._times
        end = Monotonic(now + max(0.0, (time_left if time_left is not None else _DEFAULT_TIME) - times.reserve))
        self._running += 1
        try:
            judgement = await self._judged(message, traceparent, end, None)
            if judgement.hold is None:
                return judgement.answer
            return await self._resumed(message, traceparent, end, judgement.hold, gone)
        except Exception:  # noqa: BLE001  # whatever it is, the answer is a denial
            _log.exception("an answer could not be built")
            return self._last_resort
        finally:
            self._running -= 1
            if not self._running:
                self._idle.set()

    async def drain(self) -> None:
        """Wait until every call under way has its record."""
        while self._running:
            self._idle.clear()
            await self._idle.wait()

    def drain_holds(self) -> None:
        """Answer at once what is kept open, and keep nothing open any more."""
        self._holds.drain()

    async def _judged(
        self, message: bytes | HttpCall, traceparent: str, end: Monotonic, hold: Hold | None
    ) -> Judgement:
        began, deadline = self._pipeline.clock.monotonic(), self._deadline(end)
        if not self._admission.enter():
            return Judgement(await self._pipeline.refuse(Reason.OVERLOADED, message, traceparent, deadline), None)
        try:
            return await self._pipeline.judged(message, traceparent, deadline, hold)
        finally:
            self._admission.leave(began, self._pipeline.clock.monotonic())

    async def _resumed(
        self, message: bytes | HttpCall, traceparent: str, end: Monotonic, hold: Hold, gone: asyncio.Event
    ) -> Answer:
        """The answer to a request that may be kept open, which leaves time for a second decision."""
        ended = await self._holds.wait(hold, Monotonic(end - self._times.decision), gone)
        if ended in _REFUSALS:
            return await self._pipeline.deny(hold, _REFUSALS[ended], self._deadline(end))
        answer = hold.answer
        if ended is HoldEnd.SETTLED:
            answer = (await self._judged(message, traceparent, end, hold)).answer
        if hold.is_final and answer.effect is Effect.APPROVAL_NEEDED:
            return await self._pipeline.deny(hold, Reason.APPROVAL_UNATTENDED, self._deadline(end))
        return answer

    def _deadline(self, end: Monotonic) -> Monotonic:
        """Until when a decision that begins now may take, with its record; `end` is that of the caller's time."""
        return Monotonic(min(end, self._pipeline.clock.monotonic() + max(_DEFAULT_TIME, self._times.decision)))


def _last_resort(pipeline: DecisionPoint) -> Answer:
    draft = Draft.begin(DecisionId(""), "", "", pipeline.clock)
    return respond(denied(Reason.INTERNAL_FAULT, "", NO_REVISION), NOTHING_TO_FULFIL, draft)


class Check(Protocol):
    """What a host serves: CheckHandler, seen from outside."""

    def __call__(
        self, message: bytes, traceparent: str, time_left: float | None, gone: asyncio.Event, /
    ) -> bytes | Coroutine[None, None, bytes]:
        """Answer one message, at once or by work; `gone` is set by the host once its caller has left."""
        ...
