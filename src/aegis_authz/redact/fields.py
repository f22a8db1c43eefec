"""JSON pointers that name what must not be shown, whatever it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding.pointer import is_pointer, split
from aegis_authz.redact.redactor import FIELD_MARKER

ANY = "*"
"""A segment that stands for every member or element; `~1` and `~0` escape as in RFC 6901."""


@dataclass(frozen=True, slots=True)
class Field:
    """One pointer: as written, and split. Names match in any case, for some readers ignore it."""

    pointer: str
    segments: tuple[str, ...]


def read_field(pointer: str) -> Field:
    """Read an RFC 6901 pointer whose segments may be `*`. Raises Refused(OBLIGATION_UNKNOWN) for anything else."""
    if not is_pointer(pointer):
        raise Refused(Reason.OBLIGATION_UNKNOWN, "a field is no JSON pointer")
    return Field(pointer, tuple(segment.casefold() for segment in split(pointer)))


def blank_fields(value: Json, fields: Iterable[Field], counts: Counter[str]) -> Json:
    """The value with a marker, which nobody takes for a value, in place of all that the fields name; null stays."""
    for field in fields:
        value = _blank(value, field, 0, counts)
    return value


def blank_members(members: dict[str, Json], fields: Iterable[Field], counts: Counter[str]) -> dict[str, Json]:
    """`blank_fields` for an object that stays one: a pointer to all of it empties it."""
    value = blank_fields(members, fields, counts)
    return value if isinstance(value, dict) else {}


def _blank(value: Json, field: Field, depth: int, counts: Counter[str]) -> Json:
    if depth == len(field.segments):
        if value is None:
            return None
        counts[field.pointer] += 1
        return FIELD_MARKER
    segment = field.segments[depth]
    if isinstance(value, dict):
        return {
            name: _blank(inner, field, depth + 1, counts) if segment in (ANY, name.casefold()) else inner
            for name, inner in value.items()
        }
    if isinstance(value, list):
        return [
            _blank(inner, field, depth + 1, counts) if segment in (ANY, str(place)) else inner
            for place, inner in enumerate(value)
        ]
    return value
