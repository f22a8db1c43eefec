"""The few shapes of protobuf's encoding that spans are made of: written directly, each field one call.

Source: protobuf encoding, "Message Structure". Fields are bytes already, so a message is what its fields make joined.
"""

from __future__ import annotations

import struct
from functools import lru_cache

_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5
_double = struct.Struct("<d").pack
_fixed64 = struct.Struct("<Q").pack
_fixed32 = struct.Struct("<I").pack


def varint(number: int) -> bytes:
    """An unsigned number in base 128, least significant first."""
    if number < 0x80:
        return bytes((number,))
    digits = bytearray()
    while number >= 0x80:
        digits.append(number & 0x7F | 0x80)
        number >>= 7
    digits.append(number)
    return bytes(digits)


@lru_cache(maxsize=64)
def _tag(field: int, wire: int) -> bytes:
    return varint(field << 3 | wire)


@lru_cache(maxsize=4096)
def length_head(field: int, size: int) -> bytes:
    """What stands before the `size` bytes of a field of bytes."""
    return _tag(field, _LENGTH) + varint(size)


def number_field(field: int, number: int) -> bytes:
    """A field of a whole number or of an enum."""
    return _tag(field, _VARINT) + varint(number)


def bytes_field(field: int, content: bytes) -> bytes:
    """A field of bytes, or of a message that is written already."""
    return length_head(field, len(content)) + content


def text_field(field: int, text: str) -> bytes:
    """A field of text. What UTF-8 cannot hold is a question mark."""
    return bytes_field(field, text.encode("utf-8", "replace"))


def fixed64_field(field: int, number: int) -> bytes:
    """A field of eight bytes."""
    return _tag(field, _FIXED64) + _fixed64(number)


def fixed32_field(field: int, number: int) -> bytes:
    """A field of four bytes."""
    return _tag(field, _FIXED32) + _fixed32(number)


def double_field(field: int, number: float) -> bytes:
    """A field of a number with a point; its last eight bytes are the number."""
    return _tag(field, _FIXED64) + _double(number)


double = _double
"""The eight bytes of a number with a point."""
