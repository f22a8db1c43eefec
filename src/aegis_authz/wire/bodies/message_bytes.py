"""The bytes of a message read as its values, in the one spelling that all readers read alike.

Source: Protocol Buffers, "Encoding". What parsers differ in, merge or skip without a word is refused.
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType

from aegis_authz.core.fault import Fault
from aegis_authz.core.interface import FieldKind
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
"""The wire types that are read. Groups, 3 and 4, are not: no generator writes them any more."""

_LONGEST_VARINT = 10
_UINT64 = 1 << 64
_INT32, _UINT32, _INT64 = 1 << 31, 1 << 32, 1 << 63


def malformed(at: str, problem: str) -> Refused:
    """MESSAGE_MALFORMED. `at` is a JSON pointer into the message, `problem` a sentence for the caller."""
    return Refused(Reason.MESSAGE_MALFORMED, "the gRPC call cannot be judged", Fault("body", at, problem))


def varint(data: bytes, at: int, end: int, place: str) -> tuple[int, int]:
    """The number at `at` in its shortest form, and where it ends. Raises Refused(MESSAGE_MALFORMED)."""
    if at < end and data[at] < 0x80:
        return data[at], at + 1
    number = shift = 0
    for position in range(at, min(end, at + _LONGEST_VARINT)):
        byte = data[position]
        number |= (byte & 0x7F) << shift
        if byte < 0x80:
            if byte == 0:
                raise malformed(place, "A number is written in more bytes than it needs.")
            if number >= _UINT64:
                raise malformed(place, "A number does not fit 64 bits.")
            return number, position + 1
        shift += 7
    raise malformed(place, "The message is cut off inside of a number, or a number has more than ten bytes.")


def length(data: bytes, at: int, end: int, place: str) -> tuple[int, int]:
    """Where a value of bytes begins and ends, whose length stands at `at`. Raises Refused(MESSAGE_MALFORMED)."""
    size, start = varint(data, at, end, place)
    if size > end - start:
        raise malformed(place, "A field is longer than what it stands in.")
    return start, start + size


def text(data: bytes, start: int, end: int, place: str) -> str:
    """A text. Raises Refused(MESSAGE_MALFORMED) for one that is no UTF-8, which some readers take nevertheless."""
    try:
        return data[start:end].decode("utf-8")
    except UnicodeDecodeError:
        raise malformed(place, "A text is not UTF-8.") from None


def content(data: bytes) -> dict[str, Json]:
    """What is said of bytes that nobody looks into."""
    return {"size": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def fixed(data: bytes, at: int, end: int, kind: FieldKind, place: str) -> tuple[int | float, int]:
    """A number of four or eight bytes, and where it ends.

    Raises Refused(MESSAGE_MALFORMED) for one that is cut off, and for infinity and what is no number: JSON has none.
    """
    layout = FIXED_LAYOUTS[kind]
    after = at + layout.size
    if after > end:
        raise malformed(place, "The message is cut off inside of a number.")
    number: int | float = layout.unpack_from(data, at)[0]
    if isinstance(number, float) and not math.isfinite(number):
        raise malformed(place, "A number is infinite or none at all, which JSON has no word for.")
    return number, after


FIXED_LAYOUTS: Mapping[FieldKind, struct.Struct] = MappingProxyType(
    {
        FieldKind.DOUBLE: struct.Struct("<d"),
        FieldKind.FLOAT: struct.Struct("<f"),
        FieldKind.FIXED64: struct.Struct("<Q"),
        FieldKind.SFIXED64: struct.Struct("<q"),
        FieldKind.FIXED32: struct.Struct("<I"),
        FieldKind.SFIXED32: struct.Struct("<i"),
    }
)


def _boolean(number: int) -> bool | None:
    return bool(number) if number < 2 else None


def _int64(number: int) -> int:
    return number - _UINT64 if number >= _INT64 else number


def int32(number: int) -> int | None:
    """A number of 32 bits, negative ones as the ten bytes of 64 (as generators write them); None for any other."""
    signed = _int64(number)
    return signed if -_INT32 <= signed < _INT32 else None


def _uint32(number: int) -> int | None:
    return number if number < _UINT32 else None


def _sint32(number: int) -> int | None:
    return _sint64(number) if number < _UINT32 else None


def _sint64(number: int) -> int:
    return (number >> 1) ^ -(number & 1)


def _uint64(number: int) -> int:
    return number


VARINT_VALUES: Mapping[FieldKind, Callable[[int], int | bool | None]] = MappingProxyType(
    {
        FieldKind.INT32: int32,
        FieldKind.INT64: _int64,
        FieldKind.UINT32: _uint32,
        FieldKind.UINT64: _uint64,
        FieldKind.SINT32: _sint32,
        FieldKind.SINT64: _sint64,
        FieldKind.BOOL: _boolean,
    }
)
"""What a varint is by kind; None for what readers would cut to 32 bits, or to one."""
