"""The dearest bodies under a content coding, for each KiB that comes out and for each that was sent."""

from __future__ import annotations

import gzip
import random
import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import brotli
import zstandard

from aegis_authz.encoding import strict_json
from aegis_authz.wire.bodies.coding import DECODED_LIMIT, RATIO_LIMIT, SMALL_BODY, decoded
from benchmarks.worst.bodies import JSON_SHAPES
from benchmarks.worst.cases import KIB, Case, Kind, plain_json

_BLOCKS = 16 * KIB
"""How many blocks a body of blocks has."""
_SPARE = 64
"""Bytes more than the ratio asks for."""
_ZSTD_HEAD = b"\x28\xb5\x2f\xfd\0\x58"
"""RFC 8878, section 3.1.1: a frame with a window of 2 MiB, and neither length nor checksum."""
_ZSTD_LAST = b"\x09\0\0" + b"1"


class Encoding(NamedTuple):
    """How a coding is written: a text as a whole, and so many blocks with hardly anything in each."""

    whole: Callable[[bytes], bytes]
    blocks: Callable[[int], bytes]


def _flushed(window: int) -> Callable[[int], bytes]:
    def blocks(count: int) -> bytes:
        encoder = zlib.compressobj(9, zlib.DEFLATED, window)
        parts = [encoder.compress(b"1") + encoder.flush(zlib.Z_FULL_FLUSH) for _ in range(count)]
        return b"".join((*parts, encoder.flush()))

    return blocks


def _brotli_blocks(count: int) -> bytes:
    encoder = brotli.Compressor(quality=1)
    parts = [encoder.process(b"1") + encoder.flush() for _ in range(count)]
    return b"".join((*parts, encoder.finish()))


def _zstd_blocks(count: int) -> bytes:
    return _ZSTD_HEAD + b"\0\0\0" * count + _ZSTD_LAST


ENCODINGS: Mapping[str, Encoding] = {
    "br": Encoding(partial(brotli.compress, quality=9), _brotli_blocks),
    "deflate": Encoding(partial(zlib.compress, level=9), _flushed(zlib.MAX_WBITS)),
    "gzip": Encoding(partial(gzip.compress, mtime=0), _flushed(16 + zlib.MAX_WBITS)),
    "zstd": Encoding(zstandard.ZstdCompressor(level=9, write_content_size=False).compress, _zstd_blocks),
}
"""By coding; a test holds them to all that there are."""


def _widest() -> bytes:
    """As many bytes as may come of the fewest."""
    noise = random.Random(5).randbytes(DECODED_LIMIT // RATIO_LIMIT + _SPARE)  # noqa: S311  the same in every run
    return noise + b" " * (DECODED_LIMIT - len(noise))


def _texts() -> Iterator[tuple[str, bytes, bool]]:
    """What is encoded, and whether what comes out is read as JSON, too."""
    yield "plain JSON", plain_json(64 * KIB), False
    yield "1 MiB of as few bytes as may be", _widest(), False
    yield "64 KiB of spaces", b" " * (SMALL_BODY - 1) + b"1", False
    dear = next(shape for shape in JSON_SHAPES if shape.words == "objects of two such")
    yield "dear JSON, and reading that", dear.body(SMALL_BODY), True


def cases() -> Iterator[Case]:
    """Every text in every coding, and bodies of many blocks."""
    for coding, encoding in ENCODINGS.items():
        for words, text, is_read in _texts():
            yield _case(coding, words, encoding.whole(text), is_read)
        yield _case(coding, "blocks with hardly anything in them", encoding.blocks(_BLOCKS), False)


def _case(coding: str, words: str, wire: bytes, is_read: bool) -> Case:
    size = max(len(wire), len(decoded(wire, coding)))
    read = partial(_read, wire, coding) if is_read else partial(decoded, wire, coding)
    return Case(Kind.CODING, coding, words, size, len(wire), read)


def _read(wire: bytes, coding: str) -> object:
    return strict_json.parse(decoded(wire, coding))
