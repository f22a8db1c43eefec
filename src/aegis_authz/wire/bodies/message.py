"""A message to a method, by its type: every field by its name, or a refusal."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from aegis_authz.core.fault import Fault, quoted
from aegis_authz.core.interface import FieldKind, Interface, MessageField, MessageType, Presence
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding.strict_json import MAX_MEMBERS, is_too_dense
from aegis_authz.wire.bodies.message_bytes import (
    FIXED32,
    FIXED64,
    LENGTH,
    READINGS,
    VARINT,
    Doubt,
    content,
    int32,
    length,
    varint,
)
from aegis_authz.wire.bodies.well_known import WELL_KNOWN
from aegis_authz.wire.http.places import Places

MAX_DEPTH = 64
"""Messages in messages. Readers take a hundred."""
MAX_VALUES = 25_000
"""Fields and elements of lists in one message, as many as a JSON text may have values."""

_LEAST_VALUES, _VALUES_A_BYTE = 1_000, 10
"""Of a short message, fewer: an empty one of two bytes has as many values as its type has fields."""
_MEMBERS_A_VALUE = 3
"""At most: a field of bytes, and the two that are told of them."""
_MOST_KEY = 1 << 32
_PROTOTYPE = "__proto__"
_UNLISTED: Places = {}
_FIXED = {FIXED64: 8, FIXED32: 4}
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


def read_message(
    data: bytes, request: str, interface: Interface, places: Places | None, others: bool
) -> dict[str, Json]:
    """The fields of a message of type `request` by their names, those of JSON forms of their own as these.

    Where the values of absent fields are defined as zero, they are filled in at `places` (None for all), and below
    those that are taken whole: a tool reads them so. Bytes are their `size` and `sha256`. With `others`, a field that
    the type does not have is `#NUMBER`, and what is said of its bytes.

    Raises Refused(PARAMETER_UNKNOWN) for such a field without `others`, Refused(DUPLICATE_KEY) for a field that stands
    twice, two of a choice and a key of a map that stands twice, and Refused(MESSAGE_MALFORMED) for all else that
    readers may read in unlike ways, and for more than `MAX_VALUES` values, those filled in included, `MAX_DEPTH`
    levels, or as many members as no JSON text may have.
    """
    reader = _Reader(data, interface, others)
    fields = reader.message(0, len(data), interface.messages[request], places, "", 1)
    if reader.values > MAX_MEMBERS // _MEMBERS_A_VALUE and is_too_dense(fields):
        raise malformed("", f"The message has more than {MAX_VALUES} values or {MAX_MEMBERS} members in JSON.")
    return fields


class _Reader:
    """Reads one message."""

    __slots__ = ("_data", "_interface", "_most", "_others", "_zeros", "values")

    def __init__(self, data: bytes, interface: Interface, others: bool) -> None:
        self._data = data
        self._interface = interface
        self._others = others
        self._most = min(MAX_VALUES, _LEAST_VALUES + _VALUES_A_BYTE * len(data))
        self._zeros: dict[int, Mapping[str, Json]] = {}
        self.values = 0

    def message(
        self, at: int, end: int, kind: MessageType, places: Places | None, place: str, depth: int
    ) -> dict[str, Json]:
        """The fields between two positions. `place` is the pointer of the message; None of `places` takes all."""
        if depth > MAX_DEPTH:
            raise malformed(place, f"Messages are nested more than {MAX_DEPTH} levels deep.")
        if at == end and places is None:
            empty = self._empty(kind, place)
            if empty is not None:
                return empty
        fields: dict[str, Json] = {}
        choices: dict[str, str] = {}
        strange: dict[int, bytearray] = {}
        field: MessageField | None = None
        try:
            while at < end:
                field = None
                key, at = varint(self._data, at, end)
                self._count(1)
                field = kind.fields.get(key >> 3)
                if field is None or key >= _MOST_KEY:
                    at = self._strange(key, at, end, strange, place)
                    continue
                below = None if places is None else places.get(field.name, _UNLISTED)
                if field.presence is Presence.LIST:
                    at = self._element(field, key & 7, at, end, fields, below, place, depth)
                elif field.presence is Presence.MAP:
                    at = self._entry(field, key & 7, at, end, fields, below, place, depth)
                else:
                    if field.name in fields or field.choice in choices:
                        raise _double(field, choices.get(field.choice), place)
                    if field.choice:
                        choices[field.choice] = field.name
                    fields[field.name], at = self._value(field, key & 7, at, end, below, place, depth)
            fields.update((f"#{number}", content(raw)) for number, raw in strange.items())
            field = None
            self._complete(fields, kind, places)
        except Doubt as doubt:
            raise malformed(place if field is None else f"{place}/{field.name}", str(doubt)) from None
        return fields

    def _complete(self, fields: dict[str, Json], kind: MessageType, places: Places | None) -> None:
        """Fill in what is zero where it is not sent. Raises Doubt where a field is required."""
        for name in kind.required:
            if name not in fields:
                raise Doubt(f"The field {quoted(name)} is required.")
        absent = kind.absent
        whole = absent if places is None else [name for name, below in places.items() if below is None]
        missing = [name for name in whole if name not in fields and name in absent]
        self._count(len(missing))
        plain = self._plain_zeros(kind)
        for name in missing:
            fields[name] = plain[name] if name in plain else self._zero(absent[name])

    def _empty(self, kind: MessageType, place: str) -> dict[str, Json] | None:
        """A message without a byte, filled in; None where there is more to it than that."""
        zeros = self._plain_zeros(kind)
        if kind.required or len(zeros) != len(kind.absent):
            return None
        try:
            self._count(len(zeros))
        except Doubt as doubt:
            raise malformed(place, str(doubt)) from None
        return dict(zeros)

    def _plain_zeros(self, kind: MessageType) -> Mapping[str, Json]:
        """The zeros of a type that are no container: looked up once, for a list may have a row of it in two bytes."""
        zeros = self._zeros.get(id(kind))
        if zeros is None:
            fields = {name: field for name, field in kind.absent.items() if field.presence is Presence.IMPLICIT}
            zeros = self._zeros[id(kind)] = {
                name: self._zero(field) for name, field in fields.items() if field.kind is not FieldKind.BYTES
            }
        return zeros

    def _count(self, values: int) -> None:
        """Raises Doubt for more than a message may have: every stage looks at each, at those filled in as well."""
        self.values += values
        if self.values > self._most:
            raise Doubt(f"The message has more than {MAX_VALUES} values, or too many for its length.")

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
        """A value, and where it ends. `place` is that of the message it stands in. Raises Doubt, Refused."""
        kind = field.kind
        if kind is FieldKind.MESSAGE:
            if wire == LENGTH:
                start, after = length(self._data, at, end)
                return self._submessage(field, start, after, below, f"{place}/{field.name}", depth), after
        elif kind is FieldKind.ENUM:
            if wire == VARINT:
                return self._label(field, at, end)
        else:
            reading = READINGS[kind]
            if wire == reading.wire:
                return reading.read(self._data, at, end)
        raise Doubt(f"The field {quoted(field.name)} is not written as its type is.")

    def _label(self, field: MessageField, at: int, end: int) -> tuple[Json, int]:
        number, after = varint(self._data, at, end)
        name = self._interface.enums[field.type].get(int32(number))
        if name is None:
            raise Doubt(f"The enumeration {quoted(field.type)} has no such value.")
        return name, after

    def _submessage(
        self, field: MessageField, start: int, end: int, below: Places | None, place: str, depth: int
    ) -> Json:
        kind = self._interface.messages[field.type]
        written_as = WELL_KNOWN.get(field.type)
        if written_as is None:
            return self.message(start, end, kind, below, place, depth + 1)
        fields = self.message(start, end, kind, None, place, depth + 1)
        _refuse_strange(fields, kind)
        return written_as(fields)

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
        reading = READINGS.get(field.kind)
        if reading is not None and wire == reading.wire:
            value, after = reading.read(self._data, at, end)
            elements.append(value)
            return after
        if wire == LENGTH and (field.kind is FieldKind.ENUM or reading is not None):
            return self._packed(field, at, end, elements)
        if field.kind is FieldKind.MESSAGE and wire == LENGTH:
            start, after = length(self._data, at, end)
            inside = None if below is None else below.get(str(len(elements)), _UNLISTED)
            where = f"{place}/{field.name}/{len(elements)}"
            elements.append(self._submessage(field, start, after, inside, where, depth))
            return after
        value, after = self._value(field, wire, at, end, None, place, depth)
        elements.append(value)
        return after

    def _packed(self, field: MessageField, at: int, end: int, elements: list[Json]) -> int:
        at, after = length(self._data, at, end)
        if field.kind is FieldKind.ENUM:
            while at < after:
                self._count(1)
                value, at = self._label(field, at, after)
                elements.append(value)
            return after
        data, read = self._data, READINGS[field.kind].read
        while at < after:
            self._count(1)
            value, at = read(data, at, after)
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
            raise Doubt(f"The field {quoted(field.name)} is not written as its type is.")
        start, after = length(self._data, at, end)
        kind, inside = self._interface.messages[field.type], f"{place}/{field.name}"
        plain = self._plain_entry(kind, start, after) if depth < MAX_DEPTH else None
        if plain is not None:
            self._count(len(plain))
            written, value = plain
        else:
            entry = self.message(start, after, kind, None, inside, depth + 1)
            _refuse_strange(entry, kind)
            if "value" not in entry:  # of a map of messages: an empty one
                entry["value"] = self._submessage(kind.fields[2], after, after, None, inside, depth + 1)
            written, value = entry["key"], entry["value"]
        key = _key(written)
        if key in entries:
            problem = f"The map names {quoted(key)} twice."
            raise Refused(Reason.DUPLICATE_KEY, "a map names a key twice", Fault("body", inside, problem))
        if key == _PROTOTYPE:
            raise Doubt(f"The map names {_PROTOTYPE}, which JavaScript reads otherwise.")
        entries[key] = value
        return after

    def _plain_entry(self, kind: MessageType, at: int, end: int) -> tuple[Json, Json] | None:
        """Key and value of an entry with nothing else in it, each written at most once; None for any other entry."""
        zeros = self._plain_zeros(kind)
        readings = READINGS.get(kind.fields[1].kind), READINGS.get(kind.fields[2].kind)
        if readings[0] is None or readings[1] is None or len(zeros) != len(kind.fields):
            return None
        values = [zeros["key"], zeros["value"]]
        last = 0
        while at < end:
            number = self._data[at] >> 3
            if not last < number <= len(values):
                return None
            reading = readings[number - 1]
            if reading is None or self._data[at] & 7 != reading.wire:
                return None
            try:
                values[number - 1], at = reading.read(self._data, at + 1, end)
            except Doubt:
                return None  # what is wrong with it is said where all entries are read
            last = number
        return values[0], values[1]

    def _strange(self, key: int, at: int, end: int, strange: dict[int, bytearray], place: str) -> int:
        """Take a field that the type does not have; returns where it ends. Raises Doubt, Refused."""
        number, wire = key >> 3, key & 7
        if not number or key >= _MOST_KEY:
            raise Doubt("A field has a number that no field can have.")
        if not self._others:
            problem = f"The message has a field {number} that the descriptor set does not know."
            detail = f"field {number} is not declared"
            raise Refused(Reason.PARAMETER_UNKNOWN, detail, Fault("body", f"{place}/#{number}", problem))
        if wire == VARINT:
            after = varint(self._data, at, end)[1]
        elif wire == LENGTH:
            after = length(self._data, at, end)[1]
        else:
            after = at + _FIXED.get(wire, end + 1)
            if after > end:
                raise Doubt(f"The field {number} is a group, or cut off.")
        raw = strange.setdefault(number, bytearray())
        raw.append(wire)
        raw += self._data[at:after]
        return after


def malformed(at: str, problem: str) -> Refused:
    """MESSAGE_MALFORMED. `at` is a JSON pointer into the message, `problem` a sentence for the caller."""
    return Refused(Reason.MESSAGE_MALFORMED, "the gRPC call cannot be judged", Fault("body", at, problem))


def _double(field: MessageField, rival: str | None, place: str) -> Refused:
    """DUPLICATE_KEY. `rival` is the field of the same choice that stood there before, None for none."""
    if rival is None or rival == field.name:
        detail = "a field stands twice"
        problem = f"The field {quoted(field.name)} stands twice: readers take the last, or merge them."
    else:
        detail = "two fields of a oneof"
        problem = f"Two fields of {quoted(field.choice)} stand in the message, of which there can be one."
    return Refused(Reason.DUPLICATE_KEY, detail, Fault("body", f"{place}/{field.name}", problem))


def _refuse_strange(fields: Mapping[str, Json], kind: MessageType) -> None:
    """Raises Doubt for fields that the type does not have, where there is no room for them."""
    if len(fields) > len(kind.fields) or "#" in "".join(fields):  # no name of a field has one
        raise Doubt("A value with a form of its own, or an entry of a map, has fields that nobody knows.")


def _key(value: Json) -> str:
    """The key of a map as a name in JSON."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
