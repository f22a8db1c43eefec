"""The gRPC calls of the HTTP/2 host: which method is which handler, and how their messages come together."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import aclosing

from aegis_authz.server.authz import Check
from aegis_authz.server.ext_proc import StreamAborted
from aegis_authz.server.grpc.framing import (
    ABORTED,
    INTERNAL,
    INVALID_ARGUMENT,
    OK,
    UNAVAILABLE,
    UNIMPLEMENTED,
    StreamBroken,
    Unframer,
    timeout_of,
)
from aegis_authz.server.grpc.health import CHECK as HEALTH_CHECK
from aegis_authz.server.grpc.health import WATCH as HEALTH_WATCH
from aegis_authz.server.grpc.health import Health
from aegis_authz.server.host import MAX_MESSAGE, Process
from aegis_authz.server.http2.headers import Fields
from aegis_authz.server.http2.socket import Answering, Call
from aegis_authz.wire.envoy.access_log import LOG_METHOD
from aegis_authz.wire.envoy.ext_authz import CHECK_METHOD
from aegis_authz.wire.envoy.ext_proc import BODY_SERVICE

_log = logging.getLogger(__name__)

_MOST_WAITING = 256 * 1024
_KEEPING = 128  # bytes that it costs to keep a message, however short

Answer = Callable[[Fields, bytes, Answering, asyncio.Event], None]
"""Answers the one message of a unary call, at once or by a task; the event is set when its caller has left."""


class Calls:
    """Makes a call of a request's headers."""

    def __init__(self, check: Check, process: Process, log: Process, health: Health) -> None:
        self._check = check
        self._streams = {f"/{BODY_SERVICE}/Process".encode(): process, LOG_METHOD.encode(): log}
        self._health = health
        self._unary: dict[bytes, Answer] = {
            CHECK_METHOD.encode(): self._answer_check,
            HEALTH_CHECK.encode(): self._answer_health,
        }
        self._watch_method = HEALTH_WATCH.encode()

    def __call__(self, fields: Fields, answer: Answering) -> Call | None:
        """The call that these headers begin; its answer goes to `answer`. None when it was answered at once."""
        method = fields[b":path"]
        unary = self._unary.get(method)
        if unary is not None:
            return UnaryCall(fields, answer, unary)
        streamed = self._streams.get(method)
        if streamed is not None:
            return StreamedCall(answer, streamed)
        if method == self._watch_method:
            return WatchCall(fields, answer, self._health)
        answer.fail(UNIMPLEMENTED, "no such method")
        return None

    def _answer_check(self, fields: Fields, message: bytes, answer: Answering, gone: asyncio.Event) -> None:
        timeout = fields.get(b"grpc-timeout")
        time_left = timeout_of(timeout) if timeout is not None else None
        traceparent = fields.get(b"traceparent", b"").decode("latin-1")
        checked = self._check(message, traceparent, time_left, gone)
        if isinstance(checked, bytes):  # a task costs more than such an answer
            answer.reply(checked)
        else:
            answer.run(_reply(checked, answer, gone))

    def _answer_health(self, fields: Fields, message: bytes, answer: Answering, gone: asyncio.Event) -> None:
        try:
            answer.reply(self._health.answer(message))
        except StreamBroken as fault:
            answer.fail(fault.status, str(fault))


async def _reply(check: Coroutine[None, None, bytes], answer: Answering, gone: asyncio.Event) -> None:
    if gone.is_set():  # given up before it was begun: under more load than there is room for, it is time for others
        check.close()
        return None
    try:
        checked = await check
    except Exception:  # noqa: BLE001  # whatever it is, the caller must not wait for an answer that never comes
        _log.exception("a check failed")
        return answer.fail(INTERNAL, "the handler failed")
    return answer.reply(checked)


class UnaryCall:
    """Gathers the one message of a call."""

    __slots__ = ("_answer", "_answering", "_fields", "_gone", "_message", "_unframer")

    def __init__(self, fields: Fields, answering: Answering, answer: Answer) -> None:
        self._fields = fields
        self._answering = answering
        self._answer = answer
        self._unframer = Unframer(MAX_MESSAGE)
        self._message: bytes | None = None
        self._gone = asyncio.Event()

    def feed(self, data: bytes, ended: bool) -> None:
        """Take a part of the body, the last when `ended`."""
        try:
            for message in self._unframer.feed(data):
                if self._message is not None:
                    raise StreamBroken(INVALID_ARGUMENT, "more than one message")
                self._message = message
            if not ended:
                self._answering.read(len(data))
                return
            self._unframer.close()
            if self._message is None:
                raise StreamBroken(INVALID_ARGUMENT, "no message")
        except StreamBroken as fault:
            self._answering.fail(fault.status, str(fault))
            return
        self._answer(self._fields, self._message, self._answering, self._gone)

    def cancel(self) -> None:
        """The caller is gone; what was begun is decided and recorded all the same, and waits for nobody."""
        self._gone.set()


class StreamedCall:
    """A stream of bodies, or of log entries: messages are read as the handler takes them."""

    def __init__(self, answering: Answering, process: Process) -> None:
        self._answering = answering
        self._process = process
        self._unframer = Unframer(MAX_MESSAGE)
        self._messages: deque[bytes] = deque()
        self._fault: StreamBroken | None = None
        self._ended = False
        self._came = asyncio.Event()
        self._unread = 0  # bytes the caller was not yet told that we took
        self._waiting = 0  # bytes of messages the handler did not take yet
        answering.run(self._answer())

    def feed(self, data: bytes, ended: bool) -> None:
        """Take a part of the body, the last when `ended`."""
        if self._fault is not None:
            return
        self._unread += len(data)
        try:
            for message in self._unframer.feed(data):
                self._messages.append(message)
                self._waiting += len(message) + _KEEPING
            if ended:
                self._unframer.close()
        except StreamBroken as fault:
            self._fault = fault
        self._ended = ended
        self._came.set()
        self._let_send()

    def cancel(self) -> None:
        """The caller is gone."""
        self._fault = StreamBroken(ABORTED, "the caller is gone")
        self._came.set()

    async def _answer(self) -> None:
        self._answering.start()
        status, message = INTERNAL, "the handler failed"
        try:
            async with aclosing(self._process(self._each())) as replies:
                async for reply in replies:
                    await self._answering.send(reply)
            status, message = OK, ""
        except (StreamAborted, StreamBroken) as reason:
            # never a clean end: Envoy would let the rest of the body through unfiltered
            status, message = ABORTED, str(reason)
        finally:
            self._answering.end(status, message)

    async def _each(self) -> AsyncIterator[bytes]:
        while True:
            while not self._messages:
                if self._fault is not None:
                    raise self._fault
                if self._ended:
                    return
                self._came.clear()
                await self._came.wait()
            message = self._messages.popleft()
            self._waiting -= len(message) + _KEEPING
            self._let_send()
            yield message

    def _let_send(self) -> None:
        if self._unread and self._waiting < _MOST_WAITING:
            self._answering.read(self._unread)
            self._unread = 0


class WatchCall:
    """A watch of the health: it lasts until the caller or the worker goes."""

    def __init__(self, fields: Fields, answering: Answering, health: Health) -> None:
        self._answering = answering
        self._health = health
        self._asking = UnaryCall(fields, answering, self._begin)
        self._gone = asyncio.Event()

    def feed(self, data: bytes, ended: bool) -> None:
        """Take a part of the body, the last when `ended`."""
        self._asking.feed(data, ended)

    def cancel(self) -> None:
        """The caller is gone."""
        self._gone.set()

    def _begin(self, fields: Fields, message: bytes, answering: Answering, gone: asyncio.Event) -> None:
        answering.run(self._answer(message))

    async def _answer(self, message: bytes) -> None:
        departure = asyncio.ensure_future(self._gone.wait())
        self._answering.start()
        try:
            async with aclosing(self._health.watch(message, departure)) as statuses:
                async for status in statuses:
                    await self._answering.send(status)
        except StreamBroken as fault:
            return self._answering.end(fault.status, str(fault))
        finally:
            departure.cancel()
        return self._answering.end(UNAVAILABLE, "stopping")
