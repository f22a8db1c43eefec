"""One socket of the HTTP/2 host: bytes to events, events to calls, answers to bytes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Final, Protocol, cast

from aegis_authz.server.grpc.framing import ABORTED, OK, StreamBroken, length_prefixed, trailers
from aegis_authz.server.http2.connection import Connection, Event, Opened, Received
from aegis_authz.server.http2.frames import ConnectionBroken
from aegis_authz.server.http2.headers import Fields, block_of
from aegis_authz.server.http2.intake import Intake

_log = logging.getLogger(__name__)

_MOST_STREAMS: Final = 4096
_MOST_UNDER_WAY: Final = 2 * _MOST_STREAMS  # calls that were given up go on for a while, and make room for others
_MOST_UNSENT: Final = 1024 * 1024
_START: Final = b"\x88" + block_of([(b"content-type", b"application/grpc")])  # \x88 is ":status: 200" (RFC 7541, A)
_DONE: Final = block_of(trailers(OK))


class Call(Protocol):
    """One request, as far as its body has come."""

    def feed(self, data: bytes, ended: bool) -> None:
        """Take a part of the body, the last when `ended`."""
        ...

    def cancel(self) -> None:
        """The caller is gone."""
        ...


class Open(Protocol):
    """What makes a call of the headers of a request."""

    def __call__(self, fields: Fields, answer: Answering) -> Call | None:
        """The call; its answer goes to `answer`. None when it was answered at once."""
        ...


class Answering:
    """The answer to one call."""

    __slots__ = ("_socket", "_stream")

    def __init__(self, socket: Http2Socket, stream: int) -> None:
        self._socket = socket
        self._stream = stream

    def run(self, work: Coroutine[None, None, None]) -> None:
        """Work on the answer, beside the other calls."""
        self._socket.run(work)

    def reply(self, message: bytes) -> None:
        """The whole answer to a unary call."""
        sending, stream = self._socket.sending, self._stream
        sending.headers(stream, _START)
        sending.data(stream, length_prefixed(message))
        sending.end(stream, _DONE)
        self._socket.answered(stream)

    def start(self) -> None:
        """Begin the answer to a stream."""
        self._socket.sending.headers(self._stream, _START)
        self._socket.flush()

    async def send(self, message: bytes) -> None:
        """One message more. Returns when there is room for the next. Raises StreamBroken when the caller is gone."""
        socket, stream = self._socket, self._stream
        if stream not in socket.sending.open:
            raise StreamBroken(ABORTED, "the caller is gone")
        socket.sending.data(stream, length_prefixed(message))
        socket.queued += len(message)
        socket.flush()
        while socket.is_full or socket.sending.waits(stream):
            await socket.moved()

    def end(self, status: int, message: str = "") -> None:
        """The end of a stream. `message` is fit to be sent."""
        self._socket.sending.end(self._stream, block_of(trailers(status, message)))
        self._socket.hear_no_more(self._stream)
        self._socket.answered(self._stream)

    def fail(self, status: int, message: str) -> None:
        """The whole answer to a call that went wrong."""
        self._socket.sending.headers(self._stream, _START)
        self.end(status, message)

    def read(self, size: int) -> None:
        """Let the caller send `size` bytes more."""
        self._socket.read(self._stream, size)


class Http2Socket(asyncio.Protocol):
    """One connection; `all_sockets` and `intake` are those of the host."""

    def __init__(self, open_call: Open, all_sockets: set[Http2Socket], intake: Intake) -> None:
        self.under_way: set[asyncio.Task[None]] = set()
        self._open_call = open_call
        self._all_sockets = all_sockets
        self._intake = intake
        self._loop = asyncio.get_running_loop()
        self._http2 = Connection(_MOST_STREAMS)
        self.sending = self._http2.sending
        self._calls: dict[int, Call] = {}
        self._is_flush_due = False
        self._is_closing = False
        self._moved = asyncio.Event()
        self._is_paused = False
        self._is_gathering = False
        self._new_calls = 0
        self.queued = 0
        self.lost = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=_MOST_UNSENT)
        self._all_sockets.add(self)
        self.flush()

    def data_received(self, data: bytes) -> None:
        try:
            for event in self._http2.receive(data):
                self._take(event)
        except ConnectionBroken as fault:
            _log.warning("a connection was ended: %s", fault)
            self._http2.broken(fault)
            self._flush()
            self._transport.close()
            return
        self._moved.set()
        self.flush()
        self._gather()

    def connection_lost(self, exc: Exception | None) -> None:
        self._all_sockets.discard(self)
        calls, self._calls = self._calls, {}
        for stream, call in calls.items():
            self.sending.drop(stream)
            call.cancel()
        self._is_paused = False
        self._moved.set()
        self.lost.set()

    def pause_writing(self) -> None:
        """The peer does not read, so nothing more is taken that wants an answer."""
        self._is_paused = True
        if not self._transport.is_closing():
            self._transport.pause_reading()

    def resume_writing(self) -> None:
        self._is_paused = False
        self._listen()
        self._moved.set()

    @property
    def is_full(self) -> bool:
        """Whether streams must wait before they send more; `queued` is what they sent in this turn of the loop."""
        return self._is_paused or self.queued > _MOST_UNSENT

    def run(self, work: Coroutine[None, None, None]) -> None:
        """Run a task that `under_way` knows of."""
        task = self._loop.create_task(work)
        self.under_way.add(task)
        task.add_done_callback(self.under_way.discard)

    async def moved(self) -> None:
        """Wait until something came, which may have opened a window."""
        self._moved.clear()
        await self._moved.wait()

    def answered(self, stream: int) -> None:
        """The last word on a stream was said."""
        self._calls.pop(stream, None)
        self.flush()

    def read(self, stream: int, size: int) -> None:
        """Let the peer send `size` bytes more."""
        self._http2.read(stream, size)
        self.flush()

    def hear_no_more(self, stream: int) -> None:
        """The answer on a stream is complete, whatever the peer still says."""
        self._http2.hear_no_more(stream)

    def close(self) -> None:
        """Take no new calls, and end when those under way are answered."""
        self._is_closing = True
        self._http2.close()
        self.flush()

    def abort(self) -> None:
        """Cut what is left: for Envoy an error, never a clean end."""
        self._transport.abort()

    def flush(self) -> None:
        """Write at the end of this turn of the loop."""
        if not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush)

    def _gather(self) -> None:
        """Let what comes next wait in the kernel until it is worth a turn: who is read is woken for every call."""
        new_calls, self._new_calls = self._new_calls, 0
        now = self._loop.time()
        reads_on = self._intake.reads_on(new_calls, now)
        if reads_on > now and not self._is_gathering and not self._transport.is_closing():
            self._is_gathering = True
            self._transport.pause_reading()
            self._loop.call_at(reads_on, self._read_on)

    def _read_on(self) -> None:
        self._is_gathering = False
        self._listen()

    def _listen(self) -> None:
        if not self._is_paused and not self._is_gathering and not self._transport.is_closing():
            self._transport.resume_reading()

    def _flush(self) -> None:
        self._is_flush_due = False
        if self.queued > _MOST_UNSENT:
            self._moved.set()
        self.queued = 0
        output = self.sending.take()
        if output and not self._transport.is_closing():
            self._transport.write(b"".join(output))
        if self._is_closing and not self.sending.open:
            self._transport.close()

    def _take(self, event: Event) -> None:
        if type(event) is Received:
            call = self._calls.get(event.stream)
            if call is not None:
                call.feed(event.data, event.ended)
        elif type(event) is Opened:
            if len(self.under_way) >= _MOST_UNDER_WAY:
                self._http2.refuse(event.stream)
                return
            call = self._open_call(event.fields, Answering(self, event.stream))
            if call is None:
                return
            self._calls[event.stream] = call
            self._new_calls += 1
            if event.ended:
                call.feed(b"", True)
        elif (closing := self._calls.pop(event.stream, None)) is not None:
            closing.cancel()
