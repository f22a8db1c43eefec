from __future__ import annotations

import gzip
import time
import tracemalloc
import zlib
from collections.abc import Callable

import brotli
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.bodies.coding import CODINGS, DECODED_LIMIT, RATIO_LIMIT, SMALL_BODY, decoded

ENCODERS: dict[str, Callable[[bytes], bytes]] = {
    "br": brotli.compress,
    "deflate": zlib.compress,
    "gzip": lambda body: gzip.compress(body, mtime=0),
    "zstd": lambda body: zstandard.ZstdCompressor().compress(body),
}
BODY = b'{"amount": 4200, "payee": "printer"}'
SECONDS, MEMORY = 1.0, 16 * 1024 * 1024


def refusal(body: bytes, coding: str) -> Refused:
    with pytest.raises(Refused) as refused:
        decoded(body, coding)
    fault = refused.value.fault
    assert fault is not None and fault.where == "body" and fault.problem
    return refused.value


def test_every_coding_has_an_encoder_here() -> None:
    assert set(ENCODERS) == set(CODINGS)


@pytest.mark.parametrize("coding", CODINGS)
@given(body=st.binary(max_size=4096))
def test_what_was_encoded_comes_back(coding: str, body: bytes) -> None:
    assert decoded(ENCODERS[coding](body), coding) == body


@pytest.mark.parametrize("coding", CODINGS)
@given(body=st.binary(max_size=512))
def test_any_bytes_are_a_body_or_one_refusal(coding: str, body: bytes) -> None:
    try:
        content = decoded(body, coding)
    except Refused as refused:
        assert refused.reason in (Reason.MALFORMED_CALL, Reason.BODY_TRUNCATED)
    else:
        assert len(content) <= max(SMALL_BODY, RATIO_LIMIT * len(body))


@pytest.mark.parametrize("coding", CODINGS)
@given(data=st.data())
def test_a_body_that_is_cut_anywhere_is_refused(coding: str, data: st.DataObject) -> None:
    whole = ENCODERS[coding](BODY)
    end = data.draw(st.integers(min_value=0, max_value=len(whole) - 1))
    assert refusal(whole[:end], coding).reason is Reason.MALFORMED_CALL


@pytest.mark.parametrize("coding", CODINGS)
@pytest.mark.parametrize("rest", [b"x", b"\0", b"\0" * 64, b" " * 200], ids=["a byte", "NUL", "padding", "spaces"])
def test_bytes_behind_the_end_are_refused(coding: str, rest: bytes) -> None:
    for body in (b"", BODY, BODY * 90):
        assert refusal(ENCODERS[coding](body) + rest, coding).reason is Reason.MALFORMED_CALL


@pytest.mark.parametrize("coding", CODINGS)
def test_a_second_text_behind_the_first_is_refused(coding: str) -> None:
    for first in (b"", BODY):
        assert refusal(ENCODERS[coding](first) + ENCODERS[coding](BODY), coding).reason is Reason.MALFORMED_CALL


@pytest.mark.parametrize("coding", CODINGS)
def test_what_is_of_another_coding_is_refused(coding: str) -> None:
    for name, encoder in ENCODERS.items():
        if name != coding:
            assert refusal(encoder(BODY), coding).reason is Reason.MALFORMED_CALL
    assert refusal(BODY, coding).reason is Reason.MALFORMED_CALL


def test_deflate_without_the_frame_of_zlib_is_refused() -> None:
    encoder = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    assert refusal(encoder.compress(BODY) + encoder.flush(), "deflate").reason is Reason.MALFORMED_CALL


def test_a_frame_that_zstd_skips_is_refused() -> None:
    skipped = b"\x50\x2a\x4d\x18\x04\0\0\0note"
    assert refusal(skipped + ENCODERS["zstd"](BODY), "zstd").reason is Reason.MALFORMED_CALL
    assert refusal(skipped, "zstd").reason is Reason.MALFORMED_CALL


def test_a_window_of_zstd_that_no_decoder_has_to_have_is_refused() -> None:
    wide = zstandard.ZstdCompressionParameters(window_log=27)
    encoder = zstandard.ZstdCompressor(compression_params=wide).compressobj()  # writes no size, so the window counts
    assert refusal(encoder.compress(BODY) + encoder.flush(), "zstd").reason is Reason.MALFORMED_CALL


@pytest.mark.parametrize("coding", CODINGS)
def test_a_body_may_be_as_long_decoded_as_one_that_is_not_encoded_and_no_longer(coding: str) -> None:
    text = b"".join(b'{"id": %d}\n' % number for number in range(90_000))
    assert decoded(ENCODERS[coding](text[:DECODED_LIMIT]), coding) == text[:DECODED_LIMIT]
    assert refusal(ENCODERS[coding](text[: DECODED_LIMIT + 1]), coding).reason is Reason.BODY_TRUNCATED


@pytest.mark.parametrize("coding", CODINGS)
def test_a_short_body_may_be_all_alike_and_a_long_one_not(coding: str) -> None:
    assert decoded(ENCODERS[coding](b" " * SMALL_BODY), coding) == b" " * SMALL_BODY
    assert refusal(ENCODERS[coding](b" " * DECODED_LIMIT), coding).reason is Reason.BODY_TRUNCATED


@pytest.mark.parametrize("coding", CODINGS)
def test_a_bomb_costs_little_time_and_memory(coding: str) -> None:
    bomb = ENCODERS[coding](b"\0" * (64 * 1024 * 1024))
    assert len(bomb) < 128 * 1024
    tracemalloc.start()
    began = time.perf_counter()
    assert refusal(bomb, coding).reason is Reason.BODY_TRUNCATED
    assert time.perf_counter() - began < SECONDS
    assert tracemalloc.get_traced_memory()[1] < MEMORY
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("coding", "piece"),
    [("zstd", b"\0\0\0"), ("br", b"\x02"), ("gzip", b"\0\0\0\xff\xff")],
    ids=["empty blocks of zstd", "empty metablocks of brotli", "empty blocks of deflate"],
)
def test_a_megabyte_that_expands_to_nothing_costs_little_time(coding: str, piece: bytes) -> None:
    head = {"zstd": b"\x28\xb5\x2f\xfd\0\x58", "br": b"\x0c", "gzip": b"\x1f\x8b\x08\0\0\0\0\0\0\xff"}[coding]
    body = head + piece * (DECODED_LIMIT // len(piece))
    began = time.perf_counter()
    assert refusal(body[:DECODED_LIMIT], coding).reason is Reason.MALFORMED_CALL
    assert time.perf_counter() - began < SECONDS
