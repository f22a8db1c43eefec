"""What a server says stays within the windows its peer opened, and arrives whole and in order."""

from __future__ import annotations

from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis_authz.server.http2 import frames
from aegis_authz.server.http2.frames import ConnectionBroken
from aegis_authz.server.http2.sending import Sending

FIRST_WINDOW = 65_535
HEADERS, LAST = b"headers", b"trailers"


class Peer:
    """Keeps what came, and the windows as the peer sees them."""

    def __init__(self, sending: Sending) -> None:
        self.sending = sending
        self.bodies: defaultdict[int, bytes] = defaultdict(bytes)
        self.ended: list[int] = []
        self.window = FIRST_WINDOW
        self.windows: dict[int, int] = {}
        self.initial = FIRST_WINDOW
        self.largest = frames.LARGEST_FRAME

    def listen(self) -> None:
        for written in self.sending.take():
            size, kind, flags, stream = frames.read_head(written, 0)
            if kind == frames.DATA:
                assert stream not in self.ended
                assert size <= min(self.window, self.windows[stream], self.largest)
                self.window -= size
                self.windows[stream] -= size
                self.bodies[stream] += written[frames.HEAD_SIZE :]
            elif flags & frames.END_STREAM:
                self.ended.append(stream)

    def begin(self, stream: int) -> None:
        self.windows[stream] = self.initial
        self.sending.begin(stream)

    def open(self, stream: int, size: int) -> None:
        if stream == 0:
            self.window += size
        else:
            self.windows[stream] += size
        self.sending.may_send(stream, size)

    def resize(self, initial: int) -> None:
        for stream in self.windows:
            self.windows[stream] += initial - self.initial
        self.initial = initial
        self.sending.set_initial_window(initial)


STREAMS = st.sampled_from([1, 3, 5])
SIZES = st.integers(1, 100_000)
STEPS = st.lists(
    st.tuples(st.just("data"), STREAMS, st.integers(0, 100_000))
    | st.tuples(st.just("end"), STREAMS, st.just(0))
    | st.tuples(st.just("open"), st.sampled_from([0, 0, 1, 3, 5]), SIZES)
    | st.tuples(st.just("resize"), st.just(0), st.integers(0, 200_000))
    | st.tuples(st.just("frame"), st.just(0), st.integers(16_384, 100_000)),
    max_size=40,
)


@settings(max_examples=200)
@given(STEPS)
def test_no_window_is_overrun_and_nothing_is_lost(steps: list[tuple[str, int, int]]) -> None:
    sending = Sending()
    peer = Peer(sending)
    said: defaultdict[int, bytes] = defaultdict(bytes)
    to_end: list[int] = []
    for stream in (1, 3, 5):
        peer.begin(stream)
    for number, (step, stream, size) in enumerate(steps):
        if step == "data" and stream not in to_end:
            body = bytes((number,)) * size
            said[stream] += body
            sending.data(stream, body)
        elif step == "end" and stream not in to_end:
            to_end.append(stream)
            sending.end(stream, LAST)
        elif step == "open" and stream not in peer.ended:
            peer.open(stream, size)
        elif step == "resize":
            peer.resize(size)
        elif step == "frame":
            peer.largest = size
            sending.set_largest_frame(size)
        peer.listen()
        for one in peer.ended:
            assert peer.bodies[one] == said[one]
        for one in set(peer.windows) - set(peer.ended):
            assert said[one].startswith(peer.bodies[one])
            # nothing waits that could go
            held_back = len(peer.bodies[one]) < len(said[one]) or one in to_end
            assert not held_back or min(peer.window, peer.windows[one]) <= 0
    peer.resize(1_000_000)
    peer.open(0, 100_000_000)
    for stream in set(peer.windows) - set(peer.ended):
        peer.open(stream, 100_000_000)
    peer.listen()
    assert dict(peer.bodies) == {stream: body for stream, body in said.items() if body or stream in peer.bodies}
    assert sorted(peer.ended) == sorted(to_end)


def test_the_end_waits_for_the_body_before_it() -> None:
    sending = Sending()
    peer = Peer(sending)
    peer.begin(1)
    sending.headers(1, HEADERS)
    sending.data(1, bytes(FIRST_WINDOW + 1))
    sending.end(1, LAST)
    peer.listen()
    assert peer.ended == []
    assert sending.waits(1)
    peer.open(1, 10)
    peer.listen()
    assert peer.ended == []
    peer.open(0, 10)
    peer.listen()
    assert peer.ended == [1]
    assert not sending.waits(1)
    assert sending.open == {}


def test_a_window_may_be_taken_below_nothing_and_is_paid_back_first() -> None:
    sending = Sending()
    peer = Peer(sending)
    peer.begin(1)
    sending.data(1, bytes(60_000))
    peer.listen()
    peer.resize(0)
    sending.data(1, b"more")
    peer.listen()
    assert peer.windows[1] == -60_000
    peer.open(1, 60_000)
    peer.listen()
    assert len(peer.bodies[1]) == 60_000
    peer.open(1, 4)
    peer.listen()
    assert len(peer.bodies[1]) == 60_004


def test_what_is_said_on_a_stream_that_is_gone_is_not_said() -> None:
    sending = Sending()
    sending.begin(1)
    assert sending.drop(1)
    assert not sending.drop(1)
    sending.headers(1, HEADERS)
    sending.data(1, b"body")
    sending.end(1, LAST)
    sending.may_send(1, 10)
    assert sending.take() == []
    assert not sending.waits(1)


def test_a_dropped_stream_gives_no_more_of_what_waited() -> None:
    sending = Sending()
    sending.begin(1)
    sending.data(1, bytes(FIRST_WINDOW * 2))
    sending.take()
    sending.drop(1)
    sending.may_send(0, FIRST_WINDOW)
    assert sending.take() == []


@pytest.mark.parametrize("stream", [0, 1])
def test_a_window_that_grows_too_large_ends_the_connection(stream: int) -> None:
    sending = Sending()
    sending.begin(1)
    sending.may_send(stream, frames.LARGEST_WINDOW - FIRST_WINDOW)
    with pytest.raises(ConnectionBroken) as fault:
        sending.may_send(stream, 1)
    assert fault.value.code == frames.FLOW_CONTROL_ERROR


def test_an_initial_window_that_is_too_large_ends_the_connection() -> None:
    with pytest.raises(ConnectionBroken) as fault:
        Sending().set_initial_window(2**31)
    assert fault.value.code == frames.FLOW_CONTROL_ERROR
    sending = Sending()
    sending.begin(1)
    sending.may_send(1, frames.LARGEST_WINDOW - FIRST_WINDOW)
    with pytest.raises(ConnectionBroken) as fault:
        sending.set_initial_window(FIRST_WINDOW + 1)
    assert fault.value.code == frames.FLOW_CONTROL_ERROR


@pytest.mark.parametrize("size", [0, 16_383, 2**24])
def test_a_frame_size_that_cannot_be_ends_the_connection(size: int) -> None:
    with pytest.raises(ConnectionBroken) as fault:
        Sending().set_largest_frame(size)
    assert fault.value.code == frames.PROTOCOL_ERROR
