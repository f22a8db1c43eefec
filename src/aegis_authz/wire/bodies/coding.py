"""Bodies under a content-encoding, decoded whole: RFC 9110, section 8.4.

Two readers must not make two bodies of one: a second member, bytes behind the end, a missing end are all refused,
though some decoders pass them over.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import brotli
import zstandard

from aegis_authz.core.fault import Fault
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused

DECODED_LIMIT = 1_048_576
"""Bytes of a decoded body: as many as Envoy buffers of one that is not encoded."""

RATIO_LIMIT = 200
"""Bytes of a decoded body for each byte that was sent. JSON of one shape reaches 50; a bomb, 1000 and more."""

SMALL_BODY = 65_536
"""Bytes of a decoded body that no ratio concerns: what is short may well be all alike."""

_WINDOW_LIMIT = 8 * 1024 * 1024  # RFC 9659: what a decoder of this content coding has to have
_FRAME = b"\x28\xb5\x2f\xfd"  # RFC 8878, 3.1.1; a frame to be skipped is not content, though libraries make b"" of it
_STEP = 64  # bytes; a block of zstd is four at least and holds 128 KiB at most, so a step brings 2 MiB at most


@dataclass(frozen=True, slots=True)
class Decoding:
    """How a body was decoded: by which coding, and the SHA-256 of what came out, in hexadecimal digits."""

    coding: str
    sha256: str


class _Content(NamedTuple):
    """What a decoder made of a body: all of it, or more than the limit. `ends` where the body does, and not before."""

    body: bytes
    ends: bool


class _Undecodable(Exception):
    """The bytes are not what the coding says."""


def decoded(body: bytes, coding: str) -> bytes:
    """The body behind one of `CODINGS`, in time and memory that DECODED_LIMIT bounds.

    Raises Refused(MALFORMED_CALL) for a body that is not exactly one text of that coding, and Refused(BODY_TRUNCATED)
    for one that expands to more than DECODED_LIMIT, or than RATIO_LIMIT times what was sent.
    """
    limit = min(DECODED_LIMIT, max(SMALL_BODY, RATIO_LIMIT * len(body)))
    try:
        content = CODINGS[coding](body, limit)
    except _Undecodable:
        raise _malformed(coding) from None
    if len(content.body) > limit:
        problem = f"The body expands to more than {limit} bytes."
        raise Refused(Reason.BODY_TRUNCATED, f"more than {limit} bytes when decoded", Fault("body", "", problem))
    if not content.ends:
        raise _malformed(coding)
    return content.body


def _malformed(coding: str) -> Refused:
    problem = f"The body is not one whole text of the content coding {coding}, with nothing behind it."
    return Refused(Reason.MALFORMED_CALL, f"the body is not {coding}", Fault("body", "", problem))


def _gzip(body: bytes, limit: int) -> _Content:
    return _inflated(body, limit, 16 + zlib.MAX_WBITS)


def _deflate(body: bytes, limit: int) -> _Content:
    """The zlib format, as RFC 9110 has it; what some clients send without its frame has no checksum, and is refused."""
    return _inflated(body, limit, zlib.MAX_WBITS)


def _inflated(body: bytes, limit: int, window: int) -> _Content:
    decoder = zlib.decompressobj(window)
    try:
        content = decoder.decompress(body, limit + 1)
    except zlib.error as fault:
        raise _Undecodable from fault
    return _Content(content, decoder.eof and not decoder.unused_data)


def _brotli(body: bytes, limit: int) -> _Content:
    decoder = brotli.Decompressor()
    try:
        content = decoder.process(body, output_buffer_limit=limit + 1)  # refuses what stands behind the end itself
    except brotli.error as fault:
        raise _Undecodable from fault
    return _Content(content, decoder.is_finished())


def _zstd(body: bytes, limit: int) -> _Content:
    if not body.startswith(_FRAME):
        raise _Undecodable
    decoder = zstandard.ZstdDecompressor(max_window_size=_WINDOW_LIMIT).decompressobj()
    content, place = bytearray(), 0
    try:
        while place < len(body) and not decoder.eof and len(content) <= limit:
            content += decoder.decompress(body[place : place + _STEP])
            place += _STEP
    except zstandard.ZstdError as fault:
        raise _Undecodable from fault
    return _Content(bytes(content), decoder.eof and not decoder.unused_data and place >= len(body))


CODINGS: Mapping[str, Callable[[bytes, int], _Content]] = MappingProxyType(
    {"br": _brotli, "deflate": _deflate, "gzip": _gzip, "zstd": _zstd}
)
"""The content codings that are taken, as `content-encoding` must spell them."""
