"""One socket of the HTTP/2 host, with peers that hurry, stall, break off or mean harm."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import cast

import pytest

from aegis_authz.server.grpc.framing import OK, StreamBroken, length_prefixed
from aegis_authz.server.http2 import frames
from aegis_authz.server.http2.headers import Fields
from aegis_authz.server.http2.host import Http2Host
from aegis_authz.server.http2.intake import Intake
from aegis_authz.server.http2.socket import Answering, Call, Http2Socket
from aegis_authz.wire.envoy.ext_authz import CHECK_METHOD
from aegis_authz.wire.envoy.ext_proc import BODY_SERVICE
from tests.support.frame_peer import Dial

PROCESS_METHOD = f"/{BODY_SERVICE}/Process"
MOST_UNDER_WAY = 8_192


class Handlers:
    """Checks that wait for the gate; bodies that wait for ever."""

    def __init__(self) -> None:
        self.gate = asyncio.Event()
        self.started = self.finished = 0
        self.closed = asyncio.Event()

    async def check(self, message: bytes, traceparent: str, time_left: float | None, gone: asyncio.Event) -> bytes:
        self.started += 1
        await self.gate.wait()
        self.finished += 1
        return message

    async def process(self, messages: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        try:
            async for message in messages:
                yield message
        finally:
            self.closed.set()


@pytest.fixture
def handlers() -> Handlers:
    return Handlers()


@pytest.fixture
async def host(address: str, handlers: Handlers) -> AsyncIterator[Http2Host]:
    one = Http2Host(address, handlers.check, handlers.process, handlers.process)
    await one.start()
    yield one
    handlers.gate.set()
    await one.stop(0)


async def test_answers_come_as_they_are_ready(host: Http2Host, handlers: Handlers, address: str, dial: Dial) -> None:
    peer = await dial(address)
    peer.request(1, CHECK_METHOD, b"first")
    peer.request(3, CHECK_METHOD, b"second")
    assert [heard.kind for heard in await peer.so_far() if heard.stream] == []
    handlers.gate.set()
    assert (await peer.answer(3)).messages == [b"second"]
    assert (await peer.answer(1)).messages == [b"first"]


async def test_calls_that_were_given_up_make_no_room_without_end(
    host: Http2Host, handlers: Handlers, address: str, dial: Dial
) -> None:
    peer = await dial(address)
    heard = []
    for first in range(1, 20_001, 2000):
        streams = range(first, first + 2000, 2)
        for stream in streams:
            peer.request(stream, CHECK_METHOD, b"never mind")
        heard += await peer.so_far()  # they are begun by then
        peer.say(*[frames.reset(stream, frames.CANCEL) for stream in streams])
        heard += await peer.so_far()
    assert handlers.started == MOST_UNDER_WAY
    refused = [one for one in heard if one.kind == frames.RST_STREAM]
    assert {one.word for one in refused} == {frames.REFUSED_STREAM}
    assert len(refused) == 10_000 - MOST_UNDER_WAY
    handlers.gate.set()
    await peer.so_far()
    assert handlers.finished == MOST_UNDER_WAY
    peer.request(20_001, CHECK_METHOD, b"answer me")
    assert (await peer.answer(20_001)).messages == [b"answer me"]


async def test_streams_that_were_reset_leave_no_handler(
    host: Http2Host, handlers: Handlers, address: str, dial: Dial
) -> None:
    peer = await dial(address)
    for stream in range(1, 20_001, 2):
        peer.begin(stream, PROCESS_METHOD)
        peer.say(frames.reset(stream, frames.CANCEL))
        if stream % 200 == 1:
            await peer.so_far()
    peer.begin(20_001, PROCESS_METHOD)
    peer.body(20_001, length_prefixed(b"still there"), ended=True)
    assert (await peer.answer(20_001)).messages == [b"still there"]


async def test_a_peer_that_breaks_the_protocol_is_told_and_left(
    host: Http2Host, handlers: Handlers, address: str, dial: Dial
) -> None:
    peer, other = await dial(address), await dial(address)
    peer.begin(1, PROCESS_METHOD)
    await peer.so_far()
    peer.say(frames.window_update(0, 0))
    last = (await peer.hung_up())[-1]
    assert (last.kind, int.from_bytes(last.payload[4:], "big")) == (frames.GOAWAY, frames.PROTOCOL_ERROR)
    await asyncio.wait_for(handlers.closed.wait(), 5)
    handlers.gate.set()
    other.request(1, CHECK_METHOD, b"unharmed")
    assert (await other.answer(1)).status == OK


async def test_a_peer_that_speaks_no_http2_is_told_and_left(host: Http2Host, address: str) -> None:
    reader, writer = await asyncio.open_unix_connection(address.removeprefix("unix:"))
    writer.write(b"GET / HTTP/1.1\r\nhost: a\r\n\r\n")
    said = await asyncio.wait_for(reader.read(), 5)
    assert frames.read_head(said, len(said) - 17)[1] == frames.GOAWAY
    writer.close()


async def test_a_flood_of_pings_waits_for_its_sender_to_read(
    host: Http2Host, handlers: Handlers, address: str, dial: Dial
) -> None:
    peer = await dial(address)
    many = 150_000
    for _ in range(15):
        peer.say(frames.frame(frames.PING, 0, 0, b"floodflo") * (many // 15))
    heard = await peer.so_far()
    assert sum(one.kind == frames.PING for one in heard) == many


class StalledTransport:
    """A transport whose peer does not read."""

    def __init__(self) -> None:
        self.written = b""
        self.reads = True
        self.listened = asyncio.Event()
        self.closed = False

    def set_write_buffer_limits(self, high: int) -> None:
        self.high = high

    def write(self, data: bytes) -> None:
        self.written += data

    def pause_reading(self) -> None:
        self.reads = False

    def resume_reading(self) -> None:
        self.reads = True
        self.listened.set()

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


class Silent:
    """A call that is answered by the test."""

    def __init__(self) -> None:
        self.cancelled = False

    def feed(self, data: bytes, ended: bool) -> None:
        """Nobody listens."""

    def cancel(self) -> None:
        self.cancelled = True


def opening(stream: int) -> bytes:
    """Headers that begin a call on this stream."""
    return frames.frame(frames.HEADERS, 4, stream, b"\x83\x86\x84")


class Stalled:
    """A socket on a stalled transport, with one stream open and all windows wide."""

    def __init__(self, window: float = 0.0) -> None:
        self.call = Silent()
        self.transport = StalledTransport()
        self.sockets: set[Http2Socket] = set()
        self.socket = Http2Socket(self.open, self.sockets, Intake(window))
        self.socket.connection_made(cast(asyncio.Transport, self.transport))
        wide = frames.settings({frames.INITIAL_WINDOW_SIZE: 2**31 - 1}) + frames.window_update(0, 2**30)
        self.socket.data_received(frames.PREFACE + wide + opening(1))

    def open(self, fields: Fields, answering: Answering) -> Call:
        self.answering = answering
        return self.call


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_does_not_read_is_not_listened_to() -> None:
    stalled = Stalled()
    stalled.socket.pause_writing()
    assert not stalled.transport.reads
    stalled.socket.resume_writing()
    assert stalled.transport.reads


def opened(streams: int) -> bytes:
    return b"".join(opening(2 * number + 3) for number in range(streams))


async def test_when_many_calls_come_what_comes_next_waits_to_be_begun_together() -> None:
    stalled = Stalled(window=0.05)
    stalled.socket.data_received(opened(8))
    assert not stalled.transport.reads
    await asyncio.wait_for(stalled.transport.listened.wait(), 5)
    assert stalled.transport.reads


async def test_while_few_calls_come_nothing_waits() -> None:
    stalled = Stalled(window=0.05)
    assert stalled.transport.reads


async def test_what_begins_no_call_is_no_reason_to_wait() -> None:
    stalled = Stalled(window=0.05)
    for _ in range(100):
        stalled.socket.data_received(frames.frame(frames.PING, 0, 0, b"anything"))
    assert stalled.transport.reads


async def test_who_does_not_read_is_not_listened_to_when_the_window_ends() -> None:
    stalled = Stalled(window=0.05)
    other = Stalled(window=0.05)  # its window ends after that of the first
    stalled.socket.data_received(opened(8))
    stalled.socket.pause_writing()
    other.socket.data_received(opened(8))
    await asyncio.wait_for(other.transport.listened.wait(), 5)
    assert not stalled.transport.reads
    stalled.socket.resume_writing()
    assert stalled.transport.reads


async def test_who_reads_again_waits_for_the_end_of_the_window() -> None:
    stalled = Stalled(window=60)
    stalled.socket.data_received(opened(8))
    stalled.socket.pause_writing()
    stalled.socket.resume_writing()
    assert not stalled.transport.reads


async def test_a_socket_that_closes_within_a_window_stays_closed() -> None:
    stalled = Stalled(window=0.05)
    other = Stalled(window=0.05)
    stalled.socket.data_received(opened(8))
    stalled.transport.close()
    other.socket.data_received(opened(8))
    await asyncio.wait_for(other.transport.listened.wait(), 5)
    assert not stalled.transport.listened.is_set()


async def test_a_stream_waits_while_its_peer_does_not_read() -> None:
    stalled = Stalled()
    stalled.socket.pause_writing()
    sending = asyncio.ensure_future(stalled.answering.send(b"first"))
    await turns()
    assert not sending.done()
    stalled.socket.resume_writing()
    await asyncio.wait_for(sending, 5)


async def test_a_stream_that_hurries_waits_for_its_turn_to_end() -> None:
    stalled = Stalled()
    at_once = 0

    async def hurry() -> None:
        nonlocal at_once
        while True:
            await stalled.answering.send(bytes(100_000))
            at_once += 1

    hurrying = asyncio.ensure_future(hurry())
    await asyncio.sleep(0)
    assert at_once <= 11
    await turns()
    assert at_once > 11
    hurrying.cancel()


@pytest.mark.parametrize("leave", [lambda one: one.connection_lost(None), lambda one: one.data_received(RESET)])
async def test_who_is_gone_is_sent_nothing_more(leave: Callable[[Http2Socket], None]) -> None:
    stalled = Stalled()
    stalled.socket.pause_writing()
    sending = asyncio.ensure_future(stalled.answering.send(b"message"))
    await turns()
    leave(stalled.socket)
    stalled.socket.resume_writing()
    await asyncio.wait_for(sending, 5)
    assert stalled.call.cancelled
    with pytest.raises(StreamBroken):
        await stalled.answering.send(b"message")


RESET = frames.reset(1, frames.CANCEL)


async def test_a_socket_that_closes_is_closed_with_its_last_answer() -> None:
    stalled = Stalled()
    stalled.socket.close()
    await turns()
    assert not stalled.transport.closed
    stalled.answering.reply(b"the last")
    await turns()
    assert stalled.transport.closed
    assert b"the last" in stalled.transport.written


async def test_a_socket_that_is_lost_is_forgotten() -> None:
    stalled = Stalled()
    stalled.socket.connection_lost(None)
    assert stalled.sockets == set()
    assert stalled.socket.lost.is_set()
