"""The dearest messages to a method whose types are known."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from aegis_authz.core.interface import (
    FieldKind,
    Interface,
    MessageField,
    MessageType,
    Method,
    Presence,
    Sending,
)
from aegis_authz.encoding.strict_json import MAX_MEMBERS

_CALL, _ROW, _ENTRY = "v1.Call", "v1.Row", "v1.Call.CountsEntry"
_VARINT, _LENGTH = 0, 2
_FLAGS, _ROWS, _COUNTS, _TEXTS, _KINDS, _STRANGE = 1, 2, 3, 4, 5, 9
_ROW_FIELDS = 20
_MOST = 24_000
"""Values of a message, some less than there may be."""
_NO_TYPE = ("", "")


def _field(name: str, kind: FieldKind, presence: Presence, of: str = "") -> MessageField:
    return MessageField(name, kind, presence, of, "")


SCHEMA = Interface(
    methods={"call": Method(Sending.MESSAGE, _CALL)},
    messages={
        _CALL: MessageType(
            {
                _FLAGS: _field("flags", FieldKind.BOOL, Presence.LIST),
                _ROWS: _field("rows", FieldKind.MESSAGE, Presence.LIST, _ROW),
                _COUNTS: _field("counts", FieldKind.MESSAGE, Presence.MAP, _ENTRY),
                _TEXTS: _field("texts", FieldKind.STRING, Presence.LIST),
                _KINDS: _field("kinds", FieldKind.ENUM, Presence.LIST, "v1.Kind"),
            }
        ),
        _ROW: MessageType(
            {number: _field(f"f{number}", FieldKind.INT32, Presence.IMPLICIT) for number in range(1, _ROW_FIELDS + 1)}
        ),
        _ENTRY: MessageType(
            {
                1: _field("key", FieldKind.INT32, Presence.IMPLICIT),
                2: _field("value", FieldKind.INT32, Presence.IMPLICIT),
            }
        ),
    },
    enums={"v1.Kind": {0: "NONE", 1: "SOME"}},
)
"""A message with a list of each sort; a row of its table has twenty fields, which are filled in where none is sent."""


def varint(number: int) -> bytes:
    """A number as messages write it."""
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes((*parts, number))


def _written(number: int, content: bytes) -> bytes:
    return varint(number << 3 | _LENGTH) + varint(len(content)) + content


def _framed(message: bytes) -> bytes:
    return b"\0" + len(message).to_bytes(4, "big") + message


def _room(size: int) -> int:
    return size - 12


def _packed(number: int) -> Callable[[int], bytes]:
    return lambda size: _framed(_written(number, b"\1" * min(_room(size), _MOST)))


def _each(unit: Callable[[int], bytes], values: int) -> Callable[[int], bytes]:
    """So many units as a size has room for, each of `values` values."""

    def message(size: int) -> bytes:
        units: list[bytes] = []
        length = 0
        while len(units) < _MOST // values:
            part = unit(len(units))
            length += len(part)
            if length > _room(size):
                break
            units.append(part)
        return _framed(b"".join(units))

    return message


def _rows(size: int) -> bytes:
    """Rows of two bytes, as many as may be filled in: each value is then a member of a JSON text, too."""
    return _framed(_written(_ROWS, b"") * min(MAX_MEMBERS // _ROW_FIELDS - 1, _room(size) // 2))


MESSAGE_SHAPES: Mapping[str, Callable[[int], bytes]] = {
    "packed truths": _packed(_FLAGS),
    "packed words of an enumeration": _packed(_KINDS),
    "empty rows of twenty fields": _rows,
    "empty entries of a map": _each(lambda number: _written(_COUNTS, b"\x08" + varint(number)), 4),
    "empty texts": _each(lambda _: _written(_TEXTS, b""), 1),
    "fields that nobody knows": _each(lambda number: varint((_STRANGE + number) << 3 | _VARINT) + b"\1", 8),
}
