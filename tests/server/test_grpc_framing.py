"""gRPC messages, time limits and trailers as they go over the wire."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.server.grpc_framing import (
    ABORTED,
    INTERNAL,
    INVALID_ARGUMENT,
    OK,
    RESOURCE_EXHAUSTED,
    UNIMPLEMENTED,
    Receive,
    StreamBroken,
    Unframer,
    each_message,
    frame,
    one_message,
    timeout_of,
    trailers,
)

MOST = 1_000
MESSAGES = st.lists(st.binary(max_size=50), max_size=20)


def receiving(*pieces: bytes, ended: bool = True) -> Receive:
    """ASGI's receive, of a caller that says so much and is done, or gone."""
    last = len(pieces) - 1
    events: list[dict[str, object]] = [
        {"type": "http.request", "body": piece, "more_body": not ended or number < last}
        for number, piece in enumerate(pieces)
    ]
    told = iter([*events, *itertools.repeat({"type": "http.disconnect"}, 3)])

    async def receive() -> dict[str, object]:
        return next(told)

    return receive


async def status_of(receive: Receive) -> int:
    with pytest.raises(StreamBroken) as fault:
        await one_message(receive, MOST)
    return fault.value.status


@given(MESSAGES, st.lists(st.integers(0, 1_200), max_size=20))
def test_how_the_bytes_are_cut_makes_no_difference(messages: list[bytes], cuts: list[int]) -> None:
    whole = b"".join(map(frame, messages))
    unframer, found = Unframer(MOST), []
    for begin, end in itertools.pairwise([0, *sorted(min(cut, len(whole)) for cut in cuts), len(whole)]):
        found += unframer.feed(whole[begin:end])
    unframer.close()
    assert found == messages


def test_a_message_is_there_with_its_last_byte() -> None:
    unframer = Unframer(MOST)
    assert unframer.feed(frame(b"whole")[:-1]) == []
    assert unframer.feed(b"e") == [b"whole"]
    assert unframer.feed(frame(b"") + frame(b"next")[:6]) == [b""]
    assert unframer.feed(b"ext") == [b"next"]


@pytest.mark.parametrize("rest", [1, 4, 5, 7])
def test_a_stream_that_ends_inside_a_message_is_broken(rest: int) -> None:
    unframer = Unframer(MOST)
    assert unframer.feed(frame(b"first") + frame(b"second")[:rest]) == [b"first"]
    with pytest.raises(StreamBroken) as fault:
        unframer.close()
    assert fault.value.status == INVALID_ARGUMENT


def test_a_compressed_message_is_not_taken() -> None:
    for flag in (1, 255):
        with pytest.raises(StreamBroken) as fault:
            Unframer(MOST).feed(bytes((flag,)) + frame(b"message")[1:])
        assert fault.value.status == UNIMPLEMENTED


def test_a_message_that_is_too_long_is_refused_by_its_head() -> None:
    assert Unframer(MOST).feed(frame(bytes(MOST))) == [bytes(MOST)]
    with pytest.raises(StreamBroken) as fault:
        Unframer(MOST).feed(frame(bytes(MOST + 1))[:5])
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


async def test_the_one_message_of_a_call_may_come_in_pieces() -> None:
    assert await one_message(receiving(frame(b"whole")), MOST) == b"whole"
    assert await one_message(receiving(b"", frame(b"whole")[:3], frame(b"whole")[3:], b""), MOST) == b"whole"


async def test_a_call_without_its_one_message_is_broken() -> None:
    assert await status_of(receiving(b"")) == INVALID_ARGUMENT
    assert await status_of(receiving(frame(b"half")[:-1])) == INVALID_ARGUMENT
    assert await status_of(receiving(frame(b"a") + frame(b"b"))) == INVALID_ARGUMENT
    assert await status_of(receiving(frame(b"a") + b"\0")) == INVALID_ARGUMENT
    assert await status_of(receiving(frame(bytes(MOST + 1)))) == RESOURCE_EXHAUSTED
    assert await status_of(receiving(b"\0", ended=False)) == ABORTED


async def test_what_is_no_bytes_is_the_servers_fault() -> None:
    async def receive() -> dict[str, object]:
        return {"type": "http.request", "body": "text"}

    assert await status_of(receive) == INTERNAL


async def test_messages_come_until_the_caller_is_done() -> None:
    pieces = receiving(frame(b"a") + frame(b"b")[:4], frame(b"b")[4:], b"")
    assert [message async for message in each_message(pieces, MOST)] == [b"a", b"b"]
    assert [message async for message in each_message(receiving(b""), MOST)] == []


@pytest.mark.parametrize(
    ("receive", "status"),
    [
        (lambda: receiving(frame(b"a"), ended=False), ABORTED),
        (lambda: receiving(frame(b"a") + b"\0"), INVALID_ARGUMENT),
        (lambda: receiving(frame(b"a"), b"\x01\0\0\0\0"), UNIMPLEMENTED),
    ],
    ids=["gone", "inside a message", "compressed"],
)
async def test_a_stream_that_breaks_off_is_no_end(receive, status: int) -> None:  # type: ignore[no-untyped-def]
    messages = each_message(receive(), MOST)
    assert await anext(messages) == b"a"
    with pytest.raises(StreamBroken) as fault:
        await anext(messages)
    assert fault.value.status == status
