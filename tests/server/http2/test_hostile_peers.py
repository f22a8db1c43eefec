"""A connection against peers that mean harm, or talk nonsense."""

from __future__ import annotations

import itertools
import struct

import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis_authz.server.http2 import frames
from aegis_authz.server.http2.connection import Cancelled, Connection, Event, Opened, Received
from aegis_authz.server.http2.frames import PREFACE, ConnectionBroken, frame
from aegis_authz.server.http2.headers import block_of
from tests.support.hostile_peer import BLOCK, ENDED, FIELDS, REQUEST, STARTED, Hostile, data, opened

PROTOCOL, FLOW, SIZE = frames.PROTOCOL_ERROR, frames.FLOW_CONTROL_ERROR, frames.FRAME_SIZE_ERROR
CALM = frames.ENHANCE_YOUR_CALM

HARM = {
    "data of no stream": ([data(0, b"a")], PROTOCOL),
    "data of a stream that was never opened": ([data(1, b"a")], PROTOCOL),
    "more data than the window": ([opened(), *[data(1, bytes(16_384))] * 65], FLOW),
    "a frame that is too long": ([struct.pack(">HBBBI", 0x40, 1, frames.DATA, 0, 1)], SIZE),
    "a stream number used again": ([opened(1, ended=True), opened(1, ended=True)], PROTOCOL),
    "a stream number that goes back": ([opened(5, ended=True), opened(3)], PROTOCOL),
    "a stream number of the server's": ([opened(2)], PROTOCOL),
    "a request on the connection itself": ([opened(0)], PROTOCOL),
    "headers in the middle of a body": ([opened(), data(1, b"a"), opened()], PROTOCOL),
    "a continuation of nothing": ([frame(frames.CONTINUATION, 4, 1, BLOCK)], PROTOCOL),
    "a continuation of another stream": (
        [frame(frames.HEADERS, 0, 1, BLOCK), frame(frames.CONTINUATION, 4, 3)],
        PROTOCOL,
    ),
    "something between headers": ([frame(frames.HEADERS, 0, 1, BLOCK), frame(frames.PING, 0, 0, bytes(8))], PROTOCOL),
    "continuations that grow": (
        [frame(frames.HEADERS, 0, 1, BLOCK), *[frame(frames.CONTINUATION, 0, 1, bytes(16_384))] * 5],
        CALM,
    ),
    "continuations that do not grow": (
        [frame(frames.HEADERS, 0, 1, BLOCK), *[frame(frames.CONTINUATION, 0, 1)] * 10],
        CALM,
    ),
    "a window that is not opened": ([opened(), frames.window_update(1, 0)], PROTOCOL),
    "the connection's window not opened": ([frames.window_update(0, 0)], PROTOCOL),
    "a window of a stream that was never opened": ([frames.window_update(1, 1)], PROTOCOL),
    "a window that is too large": ([opened(), frames.window_update(1, 2**31 - 1)], FLOW),
    "the connection's window too large": ([frames.window_update(0, 2**31 - 1)], FLOW),
    "a window update of a wrong size": ([frame(frames.WINDOW_UPDATE, 0, 0, bytes(3))], SIZE),
    "a reset of the connection": ([frames.reset(0, 8)], PROTOCOL),
    "a reset of a stream that was never opened": ([frames.reset(1, 8)], PROTOCOL),
    "a reset of a wrong size": ([opened(), frame(frames.RST_STREAM, 0, 1, bytes(5))], SIZE),
    "settings of a stream": ([frame(frames.SETTINGS, 0, 1)], PROTOCOL),
    "settings of a wrong size": ([frame(frames.SETTINGS, 0, 0, bytes(5))], SIZE),
    "an acknowledgement that says something": ([frame(frames.SETTINGS, frames.ACK, 0, bytes(6))], PROTOCOL),
    "an initial window that is too large": ([frames.settings({frames.INITIAL_WINDOW_SIZE: 2**31})], FLOW),
    "a frame size that cannot be": ([frames.settings({frames.MAX_FRAME_SIZE: 1})], PROTOCOL),
    "a ping of a stream": ([frame(frames.PING, 0, 1, bytes(8))], SIZE),
    "a ping of a wrong size": ([frame(frames.PING, 0, 0, bytes(7))], SIZE),
    "a promise": ([frame(frames.PUSH_PROMISE, 4, 1, bytes(4) + BLOCK)], PROTOCOL),
    "more padding than payload": ([opened(), data(1, b"\x05abc", frames.PADDED)], PROTOCOL),
    "no path": ([frame(frames.HEADERS, 5, 1, block_of([(b":method", b"POST")]))], PROTOCOL),
    "headers that cannot be read": ([frame(frames.HEADERS, 5, 1, b"\x80")], frames.COMPRESSION_ERROR),
    "trailers that cannot be read": ([opened(), frame(frames.HEADERS, 5, 1, b"\x80")], frames.COMPRESSION_ERROR),
}


@pytest.mark.parametrize("harm", HARM)
def test_harm_ends_the_connection(harm: str) -> None:
    written, code = HARM[harm]
    assert Hostile().fault(*written) == code


def test_a_peer_that_speaks_no_http2_is_found_out_at_its_first_wrong_byte() -> None:
    with pytest.raises(ConnectionBroken):
        Connection(1).receive(b"GET / HTTP/1.1\r\n")
    server = Connection(1)
    assert server.receive(PREFACE[:5]) == []
    with pytest.raises(ConnectionBroken):
        server.receive(b"X")


def test_data_after_the_end_is_not_part_of_the_body() -> None:
    hostile = Hostile()
    events = hostile.say(opened(), data(1, b"all", frames.END_STREAM), data(1, b"more"))
    assert events == [Opened(1, FIELDS, False), Received(1, b"all", True)]


def test_settings_without_end_end_the_connection() -> None:
    assert Hostile().fault(frames.settings({frames.INITIAL_WINDOW_SIZE: 1}) * 1_100) == CALM


def test_settings_now_and_then_are_in_order() -> None:
    hostile = Hostile()
    for stream in range(1, 4_000, 2):
        hostile.say(frames.settings({frames.INITIAL_WINDOW_SIZE: stream}), opened(stream, ended=True))
        hostile.server.sending.end(stream, ENDED)
    assert len(hostile.heard()) == 3 * 2_000 - 2_000


def test_a_flood_of_resets_leaves_nothing_behind() -> None:
    hostile = Hostile(most_streams=10)
    for stream in range(1, 20_001, 2):
        assert hostile.say(opened(stream), frames.reset(stream, frames.CANCEL))[1:] == [Cancelled(stream)]
    assert hostile.server.sending.open == {}
    assert hostile.heard() == []
    assert hostile.say(opened(20_001, ended=True)) == [Opened(20_001, FIELDS, True)]


@pytest.mark.interpreted
def test_looking_at_many_streams_is_not_what_a_window_costs() -> None:
    """With every stream held back by its own window, the connection's may be opened as often as the peer likes."""
    hostile = Hostile(most_streams=4_000)
    hostile.say(frames.settings({frames.INITIAL_WINDOW_SIZE: 0}))
    for stream in range(1, 8_000, 2):
        hostile.say(opened(stream, ended=True))
        hostile.server.sending.data(stream, b"waits")
    looked_at = 0
    flow = hostile.server.sending._flow

    def counted(stream: int, state: object) -> None:
        nonlocal looked_at
        looked_at += 1
        flow(stream, state)  # type: ignore[arg-type]

    hostile.server.sending._flow = counted  # type: ignore[method-assign]
    hostile.say(frames.window_update(0, 1) * 5_000)
    assert looked_at == 0


def conversation() -> bytes:
    """What a well-behaved peer says, with a little of everything."""
    encoder = hpack.Encoder()
    headers = [encoder.encode([*REQUEST, ("traceparent", f"00-{number}")]) for number in range(4)]
    return b"".join(
        [
            PREFACE,
            frames.settings({frames.INITIAL_WINDOW_SIZE: 100_000, frames.MAX_FRAME_SIZE: 20_000}),
            frame(frames.HEADERS, frames.END_HEADERS, 1, headers[0]),
            data(1, b"first"),
            frame(frames.HEADERS, 0, 3, headers[1][:7]),
            frame(frames.CONTINUATION, 0, 3, headers[1][7:9]),
            frame(frames.CONTINUATION, frames.END_HEADERS, 3, headers[1][9:]),
            frame(frames.PING, 0, 0, b"pingping"),
            data(3, b"\x02padded\0\0", frames.PADDED),
            data(1, b"second", frames.END_STREAM),
            frames.window_update(3, 5),
            frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 5, headers[2]),
            frames.reset(5, frames.CANCEL),
            frame(frames.SETTINGS, frames.ACK, 0),
            frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 3, encoder.encode([("x-sum", "1")])),
            frame(frames.HEADERS, frames.END_HEADERS | frames.END_STREAM, 7, headers[3]),
        ]
    )


def heard_whole() -> tuple[list[Event], list[bytes]]:
    server = Connection(10)
    return server.receive(conversation()), server.sending.take()


@given(st.lists(st.integers(0, len(conversation())), max_size=30))
def test_how_the_bytes_are_cut_makes_no_difference(cuts: list[int]) -> None:
    whole, server = conversation(), Connection(10)
    events: list[Event] = []
    for begin, end in itertools.pairwise([0, *sorted(cuts), len(whole)]):
        events += server.receive(whole[begin:end])
    assert (events, server.sending.take()) == heard_whole()


def test_the_bytes_may_come_one_by_one() -> None:
    server = Connection(10)
    events = [event for byte in conversation() for event in server.receive(bytes((byte,)))]
    assert (events, server.sending.take()) == heard_whole()


def survives(server: Connection, said: bytes) -> None:
    """Events are sound whatever was said, and nothing is raised but what ends the connection in order."""
    try:
        events = server.receive(said)
    except ConnectionBroken as fault:
        server.broken(fault)
        return
    for event in events:
        assert event.stream % 2 == 1
        if isinstance(event, Opened):
            assert event.fields[b":path"] is not None
            server.sending.headers(event.stream, STARTED)
            server.sending.data(event.stream, bytes(100_000))
            server.sending.end(event.stream, ENDED)


@settings(max_examples=300)
@given(
    st.lists(
        st.tuples(st.integers(0, len(conversation()) - 1), st.integers(0, 255)),
        min_size=1,
        max_size=8,
    ),
    st.integers(1, 500),
)
def test_a_conversation_with_wrong_bytes_does_no_harm(wrong: list[tuple[int, int]], step: int) -> None:
    said = bytearray(conversation())
    for at, byte in wrong:
        said[at] = byte
    server = Connection(10)
    for begin in range(0, len(said), step):
        before = len(server.sending.open)
        survives(server, bytes(said[begin : begin + step]))
        if any(frames.read_head(written, 0)[1] == frames.GOAWAY for written in server.sending.take()):
            return
        assert len(server.sending.open) <= before + step


FRAMES = st.builds(
    frame,
    st.integers(0, 10),
    st.integers(0, 255),
    st.sampled_from([0, 1, 2, 3, 5, 2**31 - 1]),
    st.binary(max_size=40) | st.sampled_from([BLOCK, BLOCK[:9], bytes(4), bytes(8), b"\x00\x04\x7f\xff\xff\xff"]),
)


@settings(max_examples=500)
@given(st.lists(FRAMES | st.binary(max_size=30), max_size=30))
def test_frames_without_sense_do_no_harm(said: list[bytes]) -> None:
    hostile = Hostile()
    for one in said:
        survives(hostile.server, one)
        if any(frames.read_head(written, 0)[1] == frames.GOAWAY for written in hostile.server.sending.take()):
            return
