"""The ext_authz handler: message in, message out; knows nothing of its host."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine

from aegis_authz.check.draft import Draft
from aegis_authz.check.fulfil import NOTHING_TO_FULFIL
from aegis_authz.check.pipeline import Pipeline
from aegis_authz.check.respond import respond
from aegis_authz.core.decision import denied
from aegis_authz.core.reason import Reason
from aegis_authz.core.units import NO_REVISION, DecisionId, Monotonic
from aegis_authz.server.admission import Admission
from aegis_authz.wire.envoy.answer import Answer
from aegis_authz.wire.envoy.ext_authz import write_check_response

_log = logging.getLogger(__name__)
_DEFAULT_TIME = 1.0


class CheckHandler:
    """Answers Check calls, as many at once as `admission` lets in; beyond that, OVERLOADED.

    `reserve` seconds of the caller's time are kept back, so that our own answer arrives before the
    caller gives up.
    """

    def __init__(self, pipeline: Pipeline, admission: Admission, reserve: float) -> None:
        self._pipeline = pipeline
        self._admission = admission
        self._reserve = reserve
        self._running = 0
        self._idle = asyncio.Event()
        self._last_resort = write_check_response(_last_resort(pipeline))

    async def __call__(self, message: bytes, traceparent: str, time_left: float | None) -> bytes:
        """Answer one CheckRequest with one CheckResponse. Never raises; its host must not cancel it.

        `traceparent` is the W3C header of the gRPC metadata, "" for none; `time_left` the seconds
        until the caller gives up, None when it would wait for ever.
        """
        now = self._pipeline.clock.monotonic()
        deadline = Monotonic(now + max(0.0, (time_left if time_left is not None else _DEFAULT_TIME) - self._reserve))
        self._running += 1
        try:
            return write_check_response(await self._answered(message, traceparent, now, deadline))
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

    async def _answered(self, message: bytes, traceparent: str, began: Monotonic, deadline: Monotonic) -> Answer:
        if not self._admission.enter():
            return await self._pipeline.refuse(Reason.OVERLOADED, message, traceparent, deadline)
        try:
            return await self._pipeline.check(message, traceparent, deadline)
        finally:
            self._admission.leave(began, self._pipeline.clock.monotonic())


def _last_resort(pipeline: Pipeline) -> Answer:
    draft = Draft.begin(DecisionId(""), "", "", pipeline.clock)
    return respond(denied(Reason.INTERNAL_FAULT, "", NO_REVISION), NOTHING_TO_FULFIL, draft)


Check = Callable[[bytes, str, float | None], Coroutine[None, None, bytes]]
"""What a host serves: CheckHandler, seen from outside."""
