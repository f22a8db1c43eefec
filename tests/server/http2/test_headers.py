"""Header blocks: whatever is remembered, they are read as a decoder without memory reads them."""

from __future__ import annotations

from collections.abc import Callable

import hpack
import pytest
from hpack.huffman import HuffmanEncoder
from hpack.huffman_constants import REQUEST_CODES, REQUEST_CODES_LENGTH
from hpack.huffman_table import decode_huffman
from hypothesis import example, given
from hypothesis import strategies as st

from aegis_authz.server.http2.frames import COMPRESSION_ERROR, ConnectionBroken
from aegis_authz.server.http2.headers import HeaderReader, block_of, check_request, huffman_text

Pairs = list[tuple[bytes, bytes]]

NAMES = st.sampled_from([b":path", b":method", b"content-type", b"te", b"traceparent", b"x-a", b"grpc-timeout"])
VALUES = st.sampled_from([b"", b"/Check", b"POST", b"trailers", b"1S", b"00-aa-bb-01"]) | st.binary(max_size=20)
LISTS = st.lists(st.tuples(NAMES, VALUES), max_size=8)
STEPS = st.lists(LISTS | st.sampled_from([0, 64, 256, 4096]), max_size=25)
"""What an encoder does: header lists, and new sizes of its table."""


def without_memory(decoder: hpack.Decoder, block: bytes) -> dict[bytes, bytes]:
    return {bytes(name): bytes(value) for name, value in decoder.decode(block, raw=True)}


@given(STEPS, st.booleans())
@example([0, [(b"x-a", b"1")], 4096, [(b"x-a", b"1")], [(b"x-a", b"1")], [(b"x-a", b"2")], [(b"x-a", b"1")]], False)
def test_headers_are_what_a_decoder_reads(steps: list[Pairs | int], huffman: bool) -> None:
    encoder, reader, decoder = hpack.Encoder(), HeaderReader(), hpack.Decoder()
    for step in steps:
        if isinstance(step, int):
            if step != encoder.header_table_size:  # hpack forgets to tell of a size that is set twice
                encoder.header_table_size = step
            continue
        block = encoder.encode(step, huffman=huffman)
        assert reader.read(block) == without_memory(decoder, block) == dict(step)


SPANS = st.binary(max_size=130) | st.from_regex(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-01", fullmatch=True)
SPAN_AHEAD = b"\x00\x88M\x83!k\x1d\x85\xa9?"
"""As Envoy begins the field: without a table, its name in Huffman's code."""
PIECES = (
    SPAN_AHEAD,
    b"\x40\x0btraceparent",
    b"\x82",
    b"\x00\x01a\x01b",
    b"\x00\x01a\x0c",
    b"\x03abc",
    b"\x83",
    b"\x20",
    b"\x7f",
)


def as_envoy(pairs: Pairs, huffman: bool) -> bytes:
    """A block of a peer that knows it has no table."""
    encoder = hpack.Encoder()
    encoder.header_table_size = 0
    assert encoder.encode([]) == b"\x20"
    return encoder.encode(pairs, huffman=huffman).replace(b"\x40" + SPAN_AHEAD[1:], SPAN_AHEAD)


@given(st.lists(st.tuples(LISTS, SPANS, LISTS, st.booleans()), max_size=12))
def test_blocks_that_differ_in_their_span_alone_are_read_as_without_memory(
    blocks: list[tuple[Pairs, bytes, Pairs, bool]],
) -> None:
    reader, decoder = HeaderReader(), hpack.Decoder()
    assert reader.read(b"\x20") == without_memory(decoder, b"\x20")
    for ahead, span, behind, huffman in blocks:
        for value in (span, span[::-1], span + b"0"):
            pairs = [*ahead, (b"traceparent", value), *behind]
            block = as_envoy(pairs, huffman)
            assert reader.read(block) == without_memory(decoder, block) == dict(pairs)


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=6), max_size=12))
def test_what_looks_like_a_span_is_read_as_without_memory(blocks: list[list[bytes]]) -> None:
    """Also where the field's first bytes are a value's, or nothing whole stands before or behind them."""
    reader, decoder = HeaderReader(), hpack.Decoder()
    for block in (b"\x20", *map(b"".join, blocks), *map(b"".join, blocks)):
        try:
            expected = without_memory(decoder, block)
        except Exception:  # noqa: BLE001  # whatever a decoder makes of it, ours ends the connection in order
            with pytest.raises(ConnectionBroken):
                reader.read(block)
            return
        assert reader.read(block) == expected


@pytest.mark.parametrize("field", [b"\x90", b"\x00\x01a\x00", b"\x01\x00"], ids=["indexed", "literal", "named"])
def test_parts_that_are_known_make_no_longer_list_than_a_decoder_takes(field: bytes) -> None:
    """Each part is short enough by itself, the two together are not."""
    many = field * (
        40_000 // sum(len(name) + len(value) + 32 for name, value in hpack.Decoder().decode(field, raw=True))
    )
    reader, decoder = HeaderReader(), hpack.Decoder()
    for block in (b"\x20", many + SPAN_AHEAD + b"\x01a", SPAN_AHEAD + b"\x01b" + many):
        assert reader.read(block) == without_memory(decoder, block)
    with pytest.raises(hpack.HPACKError):
        without_memory(decoder, many + SPAN_AHEAD + b"\x01c" + many)
    with pytest.raises(ConnectionBroken):
        reader.read(many + SPAN_AHEAD + b"\x01c" + many)


@pytest.mark.parametrize("spelt", [SPAN_AHEAD, b"\x40\x0btraceparent"], ids=["Envoy", "gRPC's C library"])
def test_a_block_whose_span_alone_is_new_is_not_decoded(monkeypatch: pytest.MonkeyPatch, spelt: bytes) -> None:
    reader = HeaderReader()
    reader.read(b"\x20")
    first, second = (
        as_envoy([(b":path", b"/Check"), (b"traceparent", b"00-" + digit * 32), (b"tracestate", b"")], True).replace(
            SPAN_AHEAD, spelt
        )
        for digit in (b"a", b"7")
    )
    reader.read(first)
    monkeypatch.setattr(hpack.Decoder, "decode", None)
    assert reader.read(second) == {b":path": b"/Check", b"traceparent": b"00-" + b"7" * 32, b"tracestate": b""}


@given(st.lists(st.binary(max_size=30), max_size=20))
def test_raw_blocks_are_read_alike_or_refused_alike(blocks: list[bytes]) -> None:
    reader, decoder = HeaderReader(), hpack.Decoder()
    for block in (b"\x20", *blocks, *blocks):
        try:
            expected = without_memory(decoder, block)
        except Exception:  # noqa: BLE001  # whatever a decoder makes of it, ours ends the connection in order
            with pytest.raises(ConnectionBroken):
                reader.read(block)
            return
        assert reader.read(block) == expected


def test_a_block_that_fed_the_table_is_not_remembered_when_the_table_is_back() -> None:
    """A literal `with incremental indexing` means one thing without a table and does another with it."""
    reader, decoder = HeaderReader(), hpack.Decoder()
    feeds, other = b"\x40\x03x-a\x011", b"\x40\x03x-b\x012"
    no_table, table_back, newest = b"\x20", b"\x3f\xe1\x1f", b"\xbe"
    for block in (no_table, feeds, other, table_back, other, feeds, newest):
        assert reader.read(block) == without_memory(decoder, block)
    assert reader.read(newest) == {b"x-a": b"1"}


def test_more_blocks_than_are_remembered_are_read_all_the_same() -> None:
    reader = HeaderReader()
    reader.read(b"\x20")
    for _ in range(2):
        for number in range(1_000):
            value = b"%d" % number
            assert reader.read(block_of([(b"x-number", value)])) == {b"x-number": value}


@given(st.binary(max_size=200))
def test_garbage_is_refused_as_what_it_is(garbage: bytes) -> None:
    try:
        HeaderReader().read(garbage)
    except ConnectionBroken as fault:
        assert fault.code == COMPRESSION_ERROR


@pytest.mark.parametrize("block", [b"\x80", b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", b"\x40\x85abc", b"\x00\x05ab"])
def test_a_block_that_cannot_be_read_ends_the_connection(block: bytes) -> None:
    with pytest.raises(ConnectionBroken) as fault:
        HeaderReader().read(block)
    assert fault.value.code == COMPRESSION_ERROR


def test_a_small_block_that_becomes_a_large_list_is_refused() -> None:
    bomb = b"\x40\x01a" + b"\x7f\x81\x1e" + b"v" * 4_000 + b"\xbe" * 16_000
    with pytest.raises(ConnectionBroken):
        HeaderReader().read(bomb)


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=126), st.binary(max_size=126)), max_size=5))
def test_a_written_block_is_read_back(fields: Pairs) -> None:
    assert [(name, value) for name, value in hpack.Decoder().decode(block_of(fields), raw=True)] == fields


def test_what_is_too_long_for_a_block_is_cut() -> None:
    assert hpack.Decoder().decode(block_of([(b"a", b"v" * 500)]), raw=True) == [(b"a", b"v" * 126)]


REQUEST = {b":method": b"POST", b":path": b"/a", b":scheme": b"http", b":authority": b"a", b"te": b"trailers"}


def test_a_request_is_a_request() -> None:
    check_request(REQUEST)


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {b":method": b"POST"},
        {b":path": b"/a"},
        {**REQUEST, b":status": b"200"},
        {**REQUEST, b":other": b""},
        {**REQUEST, b"Te": b"trailers"},
    ],
)
def test_headers_of_no_request_are_refused(fields: dict[bytes, bytes]) -> None:
    with pytest.raises(ConnectionBroken):
        check_request(fields)


CODED = st.binary(max_size=40).map(HuffmanEncoder(REQUEST_CODES, REQUEST_CODES_LENGTH).encode)


def text_or_fault(read: Callable[[bytes], bytes], coded: bytes) -> bytes | None:
    try:
        return bytes(read(coded))
    except hpack.HPACKDecodingError:
        return None


@given(CODED | st.binary(max_size=12) | st.tuples(CODED, st.binary(max_size=3)).map(b"".join))
@example(b"")
@example(b"\xff\xff\xff\xff")
@example(b"\x00\xff")
def test_a_text_in_huffmans_code_is_what_hpack_reads(coded: bytes) -> None:
    assert text_or_fault(huffman_text, coded) == text_or_fault(decode_huffman, coded)
