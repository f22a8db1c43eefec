"""Frames, against hyperframe, which others trust with them."""

from __future__ import annotations

import pytest
from hyperframe.frame import Frame, GoAwayFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.server.http2 import frames
from aegis_authz.server.http2.frames import ConnectionBroken

STREAMS = st.integers(0, 2**31 - 1)
WORDS = st.integers(0, 2**32 - 1)


def parsed(written: bytes) -> Frame:
    head, size = Frame.parse_frame_header(memoryview(written[: frames.HEAD_SIZE]))
    assert len(written) == frames.HEAD_SIZE + size
    head.parse_body(memoryview(written[frames.HEAD_SIZE :]))
    return head


@given(st.integers(0, 255), st.integers(0, 255), STREAMS, st.binary(max_size=70_000))
def test_a_frame_is_read_as_it_was_written(kind: int, flags: int, stream: int, payload: bytes) -> None:
    written = b"before" + frames.frame(kind, flags, stream, payload)
    assert frames.read_head(written, 6) == (len(payload), kind, flags, stream)
    assert written[6 + frames.HEAD_SIZE :] == payload


def test_the_largest_frame_has_its_size() -> None:
    written = frames.frame(frames.DATA, 0, 1, bytes(2**24 - 1))
    assert frames.read_head(written, 0)[0] == 2**24 - 1


def test_the_reserved_bit_of_a_stream_is_ignored() -> None:
    assert frames.read_head(frames.frame(frames.DATA, 0, 0x8000_0001), 0)[3] == 1


@given(st.dictionaries(st.integers(0, 0xFFFF), WORDS, max_size=20))
def test_settings_are_those_of_hyperframe(values: dict[int, int]) -> None:
    written = frames.settings(values)
    other = parsed(written)
    assert isinstance(other, SettingsFrame)
    assert other.settings == values == frames.read_settings(written[frames.HEAD_SIZE :])


def test_of_a_setting_that_comes_twice_the_last_holds() -> None:
    twice = b"".join(frames.settings({4: value})[frames.HEAD_SIZE :] for value in (1, 2))
    assert frames.read_settings(twice) == {4: 2}


@given(st.integers(1, 2**31 - 1), st.integers(1, 2**31 - 1))
def test_what_is_written_is_what_hyperframe_reads(stream: int, number: int) -> None:
    update = parsed(frames.window_update(stream, number))
    assert isinstance(update, WindowUpdateFrame)
    assert (update.stream_id, update.window_increment) == (stream, number)
    ended = parsed(frames.reset(stream, frames.CANCEL))
    assert isinstance(ended, RstStreamFrame)
    assert (ended.stream_id, ended.error_code) == (stream, frames.CANCEL)
    last = parsed(frames.goaway(stream, frames.ENHANCE_YOUR_CALM))
    assert isinstance(last, GoAwayFrame)
    assert (last.last_stream_id, last.error_code) == (stream, frames.ENHANCE_YOUR_CALM)


@given(WORDS)
def test_a_word_is_read_without_its_reserved_bit(word: int) -> None:
    assert frames.read_word(word.to_bytes(4, "big")) == word & 0x7FFF_FFFF


@pytest.mark.parametrize("payload", [b"", b"123", b"12345"])
def test_a_word_of_another_size_is_refused(payload: bytes) -> None:
    with pytest.raises(ConnectionBroken) as fault:
        frames.read_word(payload)
    assert fault.value.code == frames.FRAME_SIZE_ERROR


@pytest.mark.parametrize("size", [1, 5, 7])
def test_settings_of_another_size_are_refused(size: int) -> None:
    with pytest.raises(ConnectionBroken) as fault:
        frames.read_settings(bytes(size))
    assert fault.value.code == frames.FRAME_SIZE_ERROR


@given(st.binary(), st.integers(0, 255))
def test_padding_is_taken_off(body: bytes, padding: int) -> None:
    assert frames.without_padding(frames.PADDED, bytes((padding,)) + body + bytes(padding)) == body
    assert frames.without_padding(0, body) == body


@pytest.mark.parametrize("payload", [b"", b"\x01", b"\x03ab"])
def test_more_padding_than_payload_is_refused(payload: bytes) -> None:
    with pytest.raises(ConnectionBroken) as fault:
        frames.without_padding(frames.PADDED, payload)
    assert fault.value.code == frames.PROTOCOL_ERROR
