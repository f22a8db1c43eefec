"""The ASGI host: gRPC as an ASGI application, for a server that delivers HTTP/2 trailers (pyvoy).

Carries bytes between Envoy and the handlers, and nothing else. The server must not cancel an application
whose caller went away (pyvoy does not).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing

from aegis_authz.server.authz import Check
from aegis_authz.server.ext_proc import StreamAborted
from aegis_authz.server.grpc_framing import (
    ABORTED,
    INTERNAL,
    OK,
    UNAVAILABLE,
    UNIMPLEMENTED,
    Receive,
    StreamBroken,
    each_message,
    frame,
    one_message,
    timeout_of,
    trailers,
)
from aegis_authz.server.grpc_health import CHECK as HEALTH_CHECK
from aegis_authz.server.grpc_health import WATCH as HEALTH_WATCH
from aegis_authz.server.grpc_health import Health
from aegis_authz.server.host import BODY_SERVICE, MAX_MESSAGE, Process
from aegis_authz.wire.envoy import CHECK_METHOD, SERVICE

_log = logging.getLogger(__name__)

_LAST_WORDS = 0.25

Scope = Mapping[str, object]
Send = Callable[[dict[str, object]], Awaitable[None]]

_PROCESS_METHOD = f"/{BODY_SERVICE}/Process"
_START: dict[str, object] = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/grpc")],
    "trailers": True,
}
_DONE: dict[str, object] = {"type": "http.response.trailers", "headers": trailers(OK)}


class AsgiHost:
    """Serves the handlers; an instance is the ASGI application of everything but the lifespan."""

    def __init__(self, check: Check, process: Process) -> None:
        self._check = check
        self._process = process
        self._health = Health()
        self._open = 0
        self._stopping = False
        self._idle = asyncio.Event()

    async def start(self) -> None:
        """Be there, NOT_SERVING; the server around it listens."""
        await self.set_health(ready=False, serving=False)

    async def set_health(self, ready: bool, serving: bool) -> None:
        """Tell everyone who asks grpc.health.v1: the service "" is `ready`, the two Envoy asks are `serving`."""
        self._health.set({"": ready, SERVICE: serving, BODY_SERVICE: serving})

    async def stop(self, grace: float) -> None:
        """Accept nothing new, wait at most `grace` seconds for what is under way."""
        self._stopping = True
        self._health.close()
        if self._open:
            idle = asyncio.ensure_future(self._idle.wait())
            # what is left after that is cut off with the connection: never a clean end
            await asyncio.wait({idle}, timeout=grace)
            idle.cancel()
        # the server writes in a thread of its own, and does not say when an answer has left it
        await asyncio.sleep(_LAST_WORDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one call."""
        method = scope["path"]
        if self._stopping:
            await _end(send, UNAVAILABLE, "stopping")
        elif method == CHECK_METHOD:
            await self._counted(self._answer_check(scope, receive, send))
        elif method == _PROCESS_METHOD:
            await self._counted(self._answer_bodies(receive, send))
        elif method == HEALTH_CHECK:
            await self._answer_health(receive, send)
        elif method == HEALTH_WATCH:
            await self._watch_health(receive, send)
        else:
            await _end(send, UNIMPLEMENTED, "no such method")

    async def _counted(self, call: Awaitable[None]) -> None:
        self._open += 1
        try:
            await call
        finally:
            self._open -= 1
            if self._stopping and not self._open:
                self._idle.set()

    async def _answer_check(self, scope: Scope, receive: Receive, send: Send) -> None:
        traceparent, time_left = _told(scope)
        try:
            message = await one_message(receive, MAX_MESSAGE)
        except StreamBroken as fault:
            return await _end(send, fault.status, str(fault))
        try:
            answer = await self._check(message, traceparent, time_left)
        except Exception:  # noqa: BLE001  # a server makes an HTTP 500 of it: for a gRPC client that can mean OK
            _log.exception("a check failed")
            return await _end(send, INTERNAL, "the handler failed")
        return await _reply(send, answer)

    async def _answer_bodies(self, receive: Receive, send: Send) -> None:
        await send(_START)
        try:
            async with aclosing(self._process(each_message(receive, MAX_MESSAGE))) as replies:
                async for reply in replies:
                    await send({"type": "http.response.body", "body": frame(reply), "more_body": True})
        except (StreamAborted, StreamBroken) as reason:
            # never a clean end: Envoy would let the rest of the body through unfiltered
            await _finish(send, ABORTED, str(reason))
        else:
            await _finish(send, OK)

    async def _answer_health(self, receive: Receive, send: Send) -> None:
        try:
            await _reply(send, self._health.answer(await one_message(receive, MAX_MESSAGE)))
        except StreamBroken as fault:
            await _end(send, fault.status, str(fault))

    async def _watch_health(self, receive: Receive, send: Send) -> None:
        gone: asyncio.Future[None] | None = None
        await send(_START)
        try:
            message = await one_message(receive, MAX_MESSAGE)
            gone = asyncio.ensure_future(_gone(receive))
            async with aclosing(self._health.watch(message, gone)) as statuses:
                async for status in statuses:
                    await send({"type": "http.response.body", "body": frame(status), "more_body": True})
        except StreamBroken as fault:
            return await _finish(send, fault.status, str(fault))
        finally:
            if gone is not None:
                gone.cancel()
        return await _finish(send, UNAVAILABLE, "stopping")


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] == "http.request":
        pass


def _told(scope: Scope) -> tuple[str, float | None]:
    """The traceparent and the time limit of a call."""
    traceparent, time_left = "", None
    headers = scope["headers"]
    if not isinstance(headers, list):
        raise TypeError("the server gives no list of headers")
    for name, value in headers:
        if name == b"grpc-timeout":
            time_left = timeout_of(value)
        elif name == b"traceparent":
            traceparent = value.decode("latin-1")
    return traceparent, time_left


async def _reply(send: Send, message: bytes) -> None:
    await send(_START)
    await send({"type": "http.response.body", "body": frame(message)})
    await send(_DONE)


async def _end(send: Send, status: int, message: str) -> None:
    await send(_START)
    await _finish(send, status, message)


async def _finish(send: Send, status: int, message: str = "") -> None:
    await send({"type": "http.response.body", "body": b""})
    await send({"type": "http.response.trailers", "headers": trailers(status, message)})
