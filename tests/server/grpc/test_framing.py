"""gRPC messages, time limits and trailers as they go over the wire."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.server.grpc.framing import (
    ABORTED,
    INVALID_ARGUMENT,
    OK,
    RESOURCE_EXHAUSTED,
    UNIMPLEMENTED,
    StreamBroken,
    Unframer,
    length_prefixed,
    timeout_of,
    trailers,
)

MOST = 1_000
MESSAGES = st.lists(st.binary(max_size=50), max_size=20)


@given(MESSAGES, st.lists(st.integers(0, 1_200), max_size=20))
def test_how_the_bytes_are_cut_makes_no_difference(messages: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(map(length_prefixed, messages))
    unframer, found = Unframer(MOST), []
    for begin, end in itertools.pairwise([0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]):
        found += unframer.feed(whole[begin:end])
    unframer.close()
    assert found == messages


def test_a_message_is_there_with_its_last_byte() -> None:
    unframer = Unframer(MOST)
    assert unframer.feed(length_prefixed(b"whole")[:-1]) == []
    assert unframer.feed(b"e") == [b"whole"]
    assert unframer.feed(length_prefixed(b"") + length_prefixed(b"next")[:6]) == [b""]
    assert unframer.feed(b"ext") == [b"next"]


@pytest.mark.parametrize("rest", [1, 4, 5, 7])
def test_a_stream_that_ends_inside_a_message_is_broken(rest: int) -> None:
    unframer = Unframer(MOST)
    assert unframer.feed(length_prefixed(b"first") + length_prefixed(b"second")[:rest]) == [b"first"]
    with pytest.raises(StreamBroken) as fault:
        unframer.close()
    assert fault.value.status == INVALID_ARGUMENT


def test_a_compressed_message_is_not_taken() -> None:
    for flag in (1, 255):
        with pytest.raises(StreamBroken) as fault:
            Unframer(MOST).feed(bytes((flag,)) + length_prefixed(b"message")[1:])
        assert fault.value.status == UNIMPLEMENTED


def test_a_message_that_is_too_long_is_refused_by_its_head() -> None:
    assert Unframer(MOST).feed(length_prefixed(bytes(MOST))) == [bytes(MOST)]
    with pytest.raises(StreamBroken) as fault:
        Unframer(MOST).feed(length_prefixed(bytes(MOST + 1))[:5])
    assert fault.value.status == RESOURCE_EXHAUSTED


@given(st.lists(st.binary(max_size=40), max_size=20))
def test_garbage_gives_messages_or_a_broken_stream(pieces: list[bytes]) -> None:
    unframer = Unframer(MOST)
    try:
        for piece in pieces:
            assert all(len(message) <= MOST for message in unframer.feed(piece))
        unframer.close()
    except StreamBroken as fault:
        assert fault.status in (INVALID_ARGUMENT, RESOURCE_EXHAUSTED, UNIMPLEMENTED)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (b"1H", 3600.0),
        (b"2M", 120.0),
        (b"10S", 10.0),
        (b"250m", 0.25),
        (b"250000u", 0.25),
        (b"99999999n", 0.099999999),
        (b"0n", 0.0),
    ],
)
def test_a_time_limit_is_read(value: bytes, seconds: float) -> None:
    assert timeout_of(value) == pytest.approx(seconds)


@pytest.mark.parametrize("value", [b"", b"S", b"1", b"1s", b"-1S", b"1.5S", b"123456789S", b" 1S", b"1SS", b"\xff"])
def test_a_time_limit_that_cannot_be_read_is_none(value: bytes) -> None:
    assert timeout_of(value) is None


def test_trailers_say_how_a_call_ended() -> None:
    assert trailers(OK) == [(b"grpc-status", b"0")]
    assert trailers(ABORTED, "cut, 100%\n") == [(b"grpc-status", b"10"), (b"grpc-message", b"cut, 100%25%0A")]
