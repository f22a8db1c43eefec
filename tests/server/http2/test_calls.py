"""Calls of the HTTP/2 host: how their messages come together, and what those get that cannot be served."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine

import pytest
from grpc_health.v1 import health_pb2

from aegis_authz.server.grpc.framing import (
    ABORTED,
    INTERNAL,
    INVALID_ARGUMENT,
    OK,
    RESOURCE_EXHAUSTED,
    UNIMPLEMENTED,
    length_prefixed,
)
from aegis_authz.server.grpc.health import CHECK as HEALTH_CHECK
from aegis_authz.server.grpc.health import WATCH as HEALTH_WATCH
from aegis_authz.server.host import MAX_MESSAGE
from aegis_authz.server.http2 import frames
from aegis_authz.server.http2.host import Http2Host
from aegis_authz.wire.envoy.ext_authz import CHECK_METHOD
from aegis_authz.wire.envoy.ext_proc import BODY_SERVICE
from tests.support.frame_peer import Dial, FramePeer

PROCESS_METHOD = f"/{BODY_SERVICE}/Process"
COMPRESSED = b"\x01" + length_prefixed(b"message")[1:]
TOO_LONG = b"\x00" + (MAX_MESSAGE + 1).to_bytes(4, "big")


class Handlers:
    """Checks that echo, and bodies that are read when the test says so."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.read: list[bytes] = []
        self.begun: list[bytes] = []
        self.faults: list[str] = []

    async def check(self, message: bytes, traceparent: str, time_left: float | None, gone: asyncio.Event) -> bytes:
        self.begun.append(message)
        if message == b"raise":
            raise RuntimeError("a bug")
        return b"%s %s %r" % (message, traceparent.encode("latin-1"), time_left)

    def answer(
        self, message: bytes, traceparent: str, time_left: float | None, gone: asyncio.Event
    ) -> bytes | Coroutine[None, None, bytes]:
        if message == b"at once":
            return b"at once"
        return self.check(message, traceparent, time_left, gone)

    async def process(self, messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        await self.gate.wait()
        try:
            async for message in messages:
                self.read.append(message)
                yield message
        except Exception as fault:
            self.faults.append(str(fault))
            raise


@pytest.fixture
def handlers() -> Handlers:
    return Handlers()


@pytest.fixture
async def peer(address: str, handlers: Handlers, dial: Dial) -> AsyncIterator[FramePeer]:
    host = Http2Host(address, handlers.answer, handlers.process, handlers.process)
    await host.start()
    yield await dial(address)
    await host.stop(0)


async def test_a_check_is_told_its_deadline_and_its_trace(peer: FramePeer) -> None:
    peer.request(1, CHECK_METHOD, b"question", grpc_timeout="1500m", traceparent="00-aa-bb-01")
    assert (await peer.answer(1)).messages == [b"question 00-aa-bb-01 1.5"]
    peer.request(3, CHECK_METHOD, b"question", grpc_timeout="soon")
    assert (await peer.answer(3)).messages == [b"question  None"]


async def test_an_answer_that_is_there_at_once_is_sent_beside_those_that_take_work(peer: FramePeer) -> None:
    peer.request(1, CHECK_METHOD, b"question")
    peer.request(3, CHECK_METHOD, b"at once")
    peer.begin(5, CHECK_METHOD)
    peer.body(5, length_prefixed(b"at once")[:3])
    peer.body(5, length_prefixed(b"at once")[3:], ended=True)
    peer.request(7, CHECK_METHOD, b"raise")
    assert [(await peer.answer(stream)).messages for stream in (1, 3, 5, 7)] == [
        [b"question  None"],
        [b"at once"],
        [b"at once"],
        [],
    ]


async def test_a_check_that_was_given_up_before_it_was_begun_takes_no_time(peer: FramePeer, handlers: Handlers) -> None:
    peer.request(1, CHECK_METHOD, b"given up")
    peer.say(frames.reset(1, frames.CANCEL))
    peer.request(3, CHECK_METHOD, b"waited for")
    assert (await peer.answer(3)).messages == [b"waited for  None"]
    assert handlers.begun == [b"waited for"]


async def test_a_message_may_come_in_pieces(peer: FramePeer) -> None:
    peer.begin(1, CHECK_METHOD)
    for byte in length_prefixed(b"pieces"):
        peer.body(1, bytes((byte,)))
    peer.body(1, b"", ended=True)
    assert (await peer.answer(1)).messages == [b"pieces  None"]


async def test_a_message_longer_than_the_window_is_taken(peer: FramePeer, handlers: Handlers) -> None:
    sent = length_prefixed(bytes(3 * 1024 * 1024))
    peer.begin(1, CHECK_METHOD)
    for begin in range(0, len(sent), frames.LARGEST_FRAME):
        peer.body(1, sent[begin : begin + frames.LARGEST_FRAME])
        await peer.so_far()
    peer.body(1, b"", ended=True)
    # the peer opened no windows: the answer begins, and its rest waits
    while (await peer.frame()).kind != frames.DATA:
        pass


@pytest.mark.parametrize("method", [CHECK_METHOD, HEALTH_CHECK, HEALTH_WATCH])
@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", INVALID_ARGUMENT),
        (b"\x00", INVALID_ARGUMENT),
        (length_prefixed(b"")[:-1], INVALID_ARGUMENT),
        (length_prefixed(b"") + b"\x00", INVALID_ARGUMENT),
        (length_prefixed(b"") * 2, INVALID_ARGUMENT),
        (COMPRESSED, UNIMPLEMENTED),
        (TOO_LONG, RESOURCE_EXHAUSTED),
    ],
    ids=["nothing", "no head", "no message", "half a second", "two", "compressed", "too long"],
)
async def test_a_unary_call_has_one_message(peer: FramePeer, method: str, body: bytes, status: int) -> None:
    peer.begin(1, method)
    peer.body(1, body, ended=True)
    answer = await peer.answer(1)
    assert (answer.status, answer.messages) == (status, [])
    peer.request(3, CHECK_METHOD, b"next")
    assert (await peer.answer(3)).status == OK


@pytest.mark.parametrize("method", [CHECK_METHOD, PROCESS_METHOD])
async def test_what_is_too_long_is_refused_before_it_came(peer: FramePeer, method: str) -> None:
    peer.begin(1, method)
    peer.body(1, TOO_LONG)
    assert (await peer.answer(1)).status in (RESOURCE_EXHAUSTED, ABORTED)
    assert any(heard.word == frames.NO_ERROR for heard in await peer.so_far() if heard.kind == frames.RST_STREAM)


async def test_a_call_without_a_body_is_a_call_without_a_message(peer: FramePeer) -> None:
    fields = b"\x83\x86\x00\x05:path" + bytes((len(CHECK_METHOD),)) + CHECK_METHOD.encode()
    peer.say(frames.frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 1, fields))
    assert (await peer.answer(1)).status == INVALID_ARGUMENT


async def test_a_check_that_fails_is_answered(peer: FramePeer) -> None:
    peer.request(1, CHECK_METHOD, b"raise")
    assert (await peer.answer(1)).status == INTERNAL


async def test_unknown_methods_leave_nothing_behind(peer: FramePeer) -> None:
    for number in range(5_000):
        stream = 2 * number + 1
        peer.begin(stream, "/unknown")
        assert (await peer.answer(stream)).status == UNIMPLEMENTED
    await peer.so_far()
    peer.request(10_001, CHECK_METHOD, b"next")
    assert (await peer.answer(10_001)).status == OK


async def test_health_that_is_asked_nonsense_says_so(peer: FramePeer) -> None:
    for stream, method in ((1, HEALTH_CHECK), (3, HEALTH_WATCH)):
        peer.request(stream, method, b"\xff\xff")
        assert (await peer.answer(stream)).status == UNIMPLEMENTED


async def test_a_watch_that_is_cancelled_is_over(peer: FramePeer) -> None:
    asked = health_pb2.HealthCheckRequest().SerializeToString()
    for stream in range(1, 20_000, 2):
        peer.request(stream, HEALTH_WATCH, asked)
        peer.say(frames.reset(stream, frames.CANCEL))
        if stream % 100 == 1:
            await peer.so_far()
    peer.request(20_001, HEALTH_CHECK, asked)
    assert (await peer.answer(20_001)).status == OK


@pytest.mark.parametrize(
    "body", [COMPRESSED, length_prefixed(b"whole") + b"\x00\x00"], ids=["compressed", "broken off"]
)
async def test_a_stream_of_something_else_is_aborted(peer: FramePeer, handlers: Handlers, body: bytes) -> None:
    peer.begin(1, PROCESS_METHOD)
    peer.body(1, length_prefixed(b"first"))
    peer.body(1, body, ended=True)
    answer = await peer.answer(1)
    assert answer.status == ABORTED
    assert handlers.read[0] == b"first"
    assert len(handlers.faults) == 1


async def test_nothing_after_a_fault_is_taken_for_a_message(peer: FramePeer, handlers: Handlers) -> None:
    handlers.gate.clear()
    peer.begin(1, PROCESS_METHOD)
    for body in (length_prefixed(b"first"), COMPRESSED, length_prefixed(b"smuggled")):
        peer.body(1, body)
    await peer.so_far()
    handlers.gate.set()
    assert (await peer.answer(1)).status == ABORTED
    assert handlers.read == [b"first"]


@pytest.mark.parametrize(
    ("message", "pieces", "most"), [(b"", 12, 20_000), (bytes(1_000), 50, 300_000)], ids=["empty", "long"]
)
async def test_messages_that_nobody_takes_close_the_window(
    peer: FramePeer, handlers: Handlers, message: bytes, pieces: int, most: int
) -> None:
    handlers.gate.clear()
    peer.begin(1, PROCESS_METHOD)
    many = length_prefixed(message) * (16_000 // len(length_prefixed(message)))
    for _ in range(pieces):
        peer.body(1, many)
    given = [heard.word for heard in await peer.so_far() if heard.kind == frames.WINDOW_UPDATE and heard.stream == 1]
    assert sum(given) < most
    handlers.gate.set()
    while sum(given) < pieces * len(many):
        heard = await peer.frame()
        if heard.kind == frames.WINDOW_UPDATE and heard.stream == 1:
            given.append(heard.word)
        elif heard.kind == frames.DATA:
            size = len(heard.payload)
            peer.say(frames.window_update(0, size), frames.window_update(1, size))
    peer.body(1, b"", ended=True)
