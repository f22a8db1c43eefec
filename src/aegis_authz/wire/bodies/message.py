"""A message to a method, by its type: every field by its name, or a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from aegis_authz.core.fault import Fault, quoted
from aegis_authz.core.interface import FieldKind, Interface, MessageField, MessageType, Presence
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.bodies.message_bytes import (
    FIXED32,
    FIXED64,
    FIXED_LAYOUTS,
    LENGTH,
    VARINT,
    VARINT_VALUES,
    content,
    fixed,
    int32,
    length,
    malformed,
    text,
    varint,
)
from aegis_authz.wire.bodies.well_known import WELL_KNOWN
from aegis_authz.wire.http.places import Places

MAX_DEPTH = 64
"""Messages in messages. Readers take a hundred."""
MAX_VALUES = 25_000
"""Fields and elements of lists in one message, as many as a JSON text may have values."""

_MOST_KEY = 1 << 32
_PROTOTYPE = "__proto__"
_UNLISTED: Places = {}
_ZEROS: Mapping[FieldKind, Json] = MappingProxyType(
    {
        FieldKind.BOOL: False,
        FieldKind.FLOAT: 0.0,
        FieldKind.DOUBLE: 0.0,
        FieldKind.STRING: "",
        FieldKind.BYTES: MappingProxyType(content(b"")),
    }
)
"""What a field is that is not sent; 0 for the kinds that are not here."""


def read_message(data: bytes, request: str, interface: Interface, places: Places, others: bool) -> dict[str, Json]:
    """The fields of a message of type `request` by their names, those of JSON forms of their own as these.

    Where the values of absent fields are defined as zero, they are filled in at `places`, and below those that are
    taken whole: a tool reads them so. Bytes are their `size` and `sha256`. With `others`, a field that the type does
    not have is `#NUMBER`, and what is said of its bytes.

    Raises Refused(PARAMETER_UNKNOWN) for such a field without `others`, Refused(DUPLICATE_KEY) for a field that stands
    twice, two of a choice and a key of a map that stands twice, and Refused(MESSAGE_MALFORMED) for all else that
    readers may read in unlike ways, and for more than `MAX_VALUES` values or `MAX_DEPTH` levels.
    """
    reader = _Reader(data, interface, others)
    return reader.message(0, len(data), interface.messages[request], places, "", 1)


class _Reader:
    """Reads one message."""

    __slots__ = ("_data", "_interface", "_left", "_others")

    def __init__(self, data: bytes, interface: Interface, others: bool) -> None:
        self._data = data
        self._interface = interface
        self._others = others
        self._left = MAX_VALUES

    def message(
        self, at: int, end: int, kind: MessageType, places: Places | None, place: str, depth: int
    ) -> dict[str, Json]:
        """The fields between two positions. `place` is the pointer of the message; None of `places` takes all."""
        if depth > MAX_DEPTH:
            raise malformed(place, f"Messages are nested more than {MAX_DEPTH} levels deep.")
        fields: dict[str, Json] = {}
        choices: set[str] = set()
        strange: dict[int, bytes] = {}
        while at < end:
            key, at = varint(self._data, at, end, place)
            number, wire = key >> 3, key & 7
            if not number or key >= _MOST_KEY:
                raise malformed(place, "A field has a number that no field can have.")
            self._count(place)
            field = kind.fields.get(number)
            if field is None:
                start, at = at, self._skipped(number, wire, at, end, place)
                strange[number] = strange.get(number, b"") + bytes((wire,)) + self._data[start:at]
                continue
            below = None if places is None else places.get(field.name, _UNLISTED)
            inside = f"{place}/{field.name}"
            if field.presence is Presence.LIST:
                at = self._element(field, wire, at, end, fields, below, inside, depth)
            elif field.presence is Presence.MAP:
                at = self._entry(field, wire, at, end, fields, below, inside, depth)
            else:
                _refuse_double(field, fields, choices, inside)
                fields[field.name], at = self._value(field, wire, at, end, below, inside, depth)
        fields.update((f"#{number}", content(data)) for number, data in strange.items())
        return self._completed(fields, kind, places, place)

    def _completed(
        self, fields: dict[str, Json], kind: MessageType, places: Places | None, place: str
    ) -> dict[str, Json]:
        for name in kind.required:
            if name not in fields:
                raise malformed(place, f"The field {quoted(name)} is required.")
        for field in kind.absent:
            if field.name not in fields and (places is None or places.get(field.name, _UNLISTED) is None):
                fields[field.name] = self._zero(field)
        return fields

    def _count(self, place: str) -> None:
        self._left -= 1
        if self._left < 0:
            raise malformed(place, f"The message has more than {MAX_VALUES} values.")

    def _zero(self, field: MessageField) -> Json:
        if field.presence is Presence.LIST:
            return []
        if field.presence is Presence.MAP:
            return {}
        if field.kind is FieldKind.ENUM:
            return self._interface.enums[field.type][0]
        value = _ZEROS.get(field.kind, 0)
        return dict(value) if isinstance(value, Mapping) else value

    def _value(
        self, field: MessageField, wire: int, at: int, end: int, below: Places | None, place: str, depth: int
    ) -> tuple[Json, int]:
        """A value, and where it ends."""
        kind = field.kind
        if kind in VARINT_VALUES or kind is FieldKind.ENUM:
            if wire == VARINT:
                return self._number(field, at, end, place)
        elif kind in FIXED_LAYOUTS:
            if wire == (FIXED64 if FIXED_LAYOUTS[kind].size == 8 else FIXED32):
                return fixed(self._data, at, end, kind, place)
        elif wire == LENGTH:
            start, after = length(self._data, at, end, place)
            if kind is FieldKind.STRING:
                return text(self._data, start, after, place), after
            if kind is FieldKind.BYTES:
                return content(self._data[start:after]), after
            return self._submessage(field, start, after, below, place, depth), after
        raise malformed(place, f"The field {quoted(field.name)} is not written as its type is.")

    def _number(self, field: MessageField, at: int, end: int, place: str) -> tuple[Json, int]:
        number, after = varint(self._data, at, end, place)
        if field.kind is FieldKind.ENUM:
            position = int32(number)
            name = None if position is None else self._interface.enums[field.type].get(position)
            if name is None:
                raise malformed(place, f"The enumeration {quoted(field.type)} has no such value.")
            return name, after
        value = VARINT_VALUES[field.kind](number)
        if value is None:
            raise malformed(place, f"A number is beyond what {field.kind.value} holds.")
        return value, after

    def _submessage(
        self, field: MessageField, start: int, end: int, below: Places | None, place: str, depth: int
    ) -> Json:
        kind = self._interface.messages[field.type]
        written_as = WELL_KNOWN.get(field.type)
        if written_as is None:
            return self.message(start, end, kind, below, place, depth + 1)
        fields = self.message(start, end, kind, None, place, depth + 1)
        _refuse_strange(fields, kind, place)
        try:
            return written_as(fields)
        except ValueError as fault:
            raise malformed(place, str(fault)) from None

    def _element(
        self,
        field: MessageField,
        wire: int,
        at: int,
        end: int,
        fields: dict[str, Json],
        below: Places | None,
        place: str,
        depth: int,
    ) -> int:
        """Take one element of a list, or several that are packed; returns where they end."""
        elements = fields.setdefault(field.name, [])
        assert isinstance(elements, list)  # noqa: S101  # nothing else is put there
        is_packed = wire == LENGTH and (
            field.kind in VARINT_VALUES or field.kind in FIXED_LAYOUTS or field.kind is FieldKind.ENUM
        )
        if not is_packed:
            inside = None if below is None else below.get(str(len(elements)), _UNLISTED)
            value, after = self._value(field, wire, at, end, inside, f"{place}/{len(elements)}", depth)
            elements.append(value)
            return after
        at, after = length(self._data, at, end, place)
        while at < after:
            self._count(place)
            if field.kind in FIXED_LAYOUTS:
                value, at = fixed(self._data, at, after, field.kind, place)
            else:
                value, at = self._number(field, at, after, place)
            elements.append(value)
        return after

    def _entry(
        self,
        field: MessageField,
        wire: int,
        at: int,
        end: int,
        fields: dict[str, Json],
        below: Places | None,
        place: str,
        depth: int,
    ) -> int:
        """Take one entry of a map; returns where it ends."""
        entries = fields.setdefault(field.name, {})
        assert isinstance(entries, dict)  # noqa: S101  # nothing else is put there
        if wire != LENGTH:
            raise malformed(place, f"The field {quoted(field.name)} is not written as its type is.")
        start, after = length(self._data, at, end, place)
        kind = self._interface.messages[field.type]
        entry = self.message(start, after, kind, None, place, depth + 1)
        _refuse_strange(entry, kind, place)
        value_field = kind.fields[2]
        if "value" not in entry:  # of a map of messages: an empty one
            entry["value"] = self._submessage(value_field, after, after, None, place, depth + 1)
        key = _key(entry["key"])
        if key in entries:
            problem = f"The map names {quoted(key)} twice."
            raise Refused(Reason.DUPLICATE_KEY, "a map names a key twice", Fault("body", place, problem))
        if key == _PROTOTYPE:
            raise malformed(place, f"The map names {_PROTOTYPE}, which JavaScript reads otherwise.")
        entries[key] = entry["value"]
        return after

    def _skipped(self, number: int, wire: int, at: int, end: int, place: str) -> int:
        """Where a field ends that the type does not have. Raises Refused."""
        if not self._others:
            problem = f"The message has a field {number} that the descriptor set does not know."
            detail = f"field {number} is not declared"
            raise Refused(Reason.PARAMETER_UNKNOWN, detail, Fault("body", f"{place}/#{number}", problem))
        if wire == VARINT:
            return varint(self._data, at, end, place)[1]
        if wire == LENGTH:
            return length(self._data, at, end, place)[1]
        size = {FIXED64: 8, FIXED32: 4}.get(wire)
        if size is None or size > end - at:
            raise malformed(place, f"The field {number} is a group, or cut off.")
        return at + size


def _refuse_double(field: MessageField, fields: Mapping[str, Json], choices: set[str], place: str) -> None:
    if field.name in fields:
        problem = f"The field {quoted(field.name)} stands twice: readers take the last, or merge them."
        raise Refused(Reason.DUPLICATE_KEY, "a field stands twice", Fault("body", place, problem))
    if field.choice:
        if field.choice in choices:
            problem = f"Two fields of {quoted(field.choice)} stand in the message, of which there can be one."
            raise Refused(Reason.DUPLICATE_KEY, "two fields of a oneof", Fault("body", place, problem))
        choices.add(field.choice)


def _refuse_strange(fields: Mapping[str, Json], kind: MessageType, place: str) -> None:
    """Raises Refused(MESSAGE_MALFORMED) for fields that the type does not have, where there is no room for them."""
    if len(fields) > len(kind.fields) or any(name.startswith("#") for name in fields):
        raise malformed(place, "A value with a form of its own, or an entry of a map, has fields that nobody knows.")


def _key(value: Json) -> str:
    """The key of a map as a name in JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
