"""The bytes of a message read as its values, in the one spelling that all readers read alike.

Source: Protocol Buffers, "Encoding". What parsers differ in, merge or skip without a word is refused.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Callable, Mapping
from typing import NamedTuple

from aegis_authz.core.interface import FieldKind
from aegis_authz.core.json_value import Json

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
"""The wire types that are read. Groups, 3 and 4, are not: no generator writes them any more."""

_LONGEST_VARINT = 10
_UINT64 = 1 << 64
_INT32, _UINT32, _INT64 = 1 << 31, 1 << 32, 1 << 63


class Doubt(ValueError):
    """Bytes that some reader may read otherwise, or that are none of the kind; a sentence for the caller."""


class Reading(NamedTuple):
    """How a kind of value is read: its wire type, and what gives it and where it ends. That raises Doubt."""

    wire: int
    read: Callable[[bytes, int, int], tuple[Json, int]]


def varint(data: bytes, at: int, end: int) -> tuple[int, int]:
    """The number at `at` in its shortest form, and where it ends. Raises Doubt."""
    if at < end and data[at] < 0x80:
        return data[at], at + 1
    number = shift = 0
    for position in range(at, min(end, at + _LONGEST_VARINT)):
        byte = data[position]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0:
                raise Doubt("A number is written in more bytes than it needs.")
            if number >= _UINT64:
                raise Doubt("A number does not fit 64 bits.")
            return number, position + 1
        shift += 7
    raise Doubt("The message is cut off inside of a number, or a number has more than ten bytes.")


def length(data: bytes, at: int, end: int) -> tuple[int, int]:
    """Where a value of bytes begins and ends, whose length stands at `at`. Raises Doubt."""
    size, start = varint(data, at, end)
    if size > end - start:
        raise Doubt("A field is longer than what it stands in.")
    return start, start + size


def content(data: bytes | bytearray) -> dict[str, Json]:
    """What is said of bytes that nobody looks into."""
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def int32(number: int) -> int:
    """A number of 32 bits, negative ones as the ten bytes of 64 (as generators write them). Raises Doubt."""
    signed = _int64(number)
    if not -_INT32 <= signed < _INT32:
        raise Doubt("A number is beyond what int32 holds.")
    return signed


def _text(data: bytes, at: int, end: int) -> tuple[Json, int]:
    start, after = length(data, at, end)
    try:
        return data[start:after].decode("utf-8"), after
    except UnicodeDecodeError:  # some readers take it nevertheless
        raise Doubt("A text is not UTF-8.") from None


def _content(data: bytes, at: int, end: int) -> tuple[Json, int]:
    start, after = length(data, at, end)
    return content(data[start:after]), after


def _fixed(form: str) -> Callable[[bytes, int, int], tuple[Json, int]]:
    layout = struct.Struct(form)

    def read(data: bytes, at: int, end: int) -> tuple[Json, int]:
        after = at + layout.size
        if after > end:
            raise Doubt("The message is cut off inside of a number.")
        number: int | float = layout.unpack_from(data, at)[0]
        if isinstance(number, float) and not math.isfinite(number):
            raise Doubt("A number is infinite or none at all, which JSON has no word for.")
        return number, after

    return read


def _numeric(value_of: Callable[[int], int]) -> Callable[[bytes, int, int], tuple[Json, int]]:
    def read(data: bytes, at: int, end: int) -> tuple[Json, int]:
        number, after = varint(data, at, end)
        return value_of(number), after

    return read


def _boolean(number: int) -> bool:
    if number > 1:
        raise Doubt("A truth value is neither 0 nor 1.")
    return number == 1


def _int64(number: int) -> int:
    return number - _UINT64 if number >= _INT64 else number


def _uint32(number: int) -> int:
    if number >= _UINT32:
        raise Doubt("A number is beyond what uint32 holds.")
    return number


def _sint32(number: int) -> int:
    return _sint64(_uint32(number))


def _sint64(number: int) -> int:
    return (number >> 1) ^ -(number & 1)


READINGS: Mapping[FieldKind, Reading] = {
    FieldKind.INT32: Reading(VARINT, _numeric(int32)),
    FieldKind.INT64: Reading(VARINT, _numeric(_int64)),
    FieldKind.UINT32: Reading(VARINT, _numeric(_uint32)),
    FieldKind.UINT64: Reading(VARINT, varint),
    FieldKind.SINT32: Reading(VARINT, _numeric(_sint32)),
    FieldKind.SINT64: Reading(VARINT, _numeric(_sint64)),
    FieldKind.BOOL: Reading(VARINT, _numeric(_boolean)),
    FieldKind.DOUBLE: Reading(FIXED64, _fixed("<d")),
    FieldKind.FIXED64: Reading(FIXED64, _fixed("<Q")),
    FieldKind.SFIXED64: Reading(FIXED64, _fixed("<q")),
    FieldKind.FLOAT: Reading(FIXED32, _fixed("<f")),
    FieldKind.FIXED32: Reading(FIXED32, _fixed("<I")),
    FieldKind.SFIXED32: Reading(FIXED32, _fixed("<i")),
    FieldKind.STRING: Reading(LENGTH, _text),
    FieldKind.BYTES: Reading(LENGTH, _content),
}
"""By kind; messages and enumerations need their types."""
