"""JSON pointers that name what must not be shown, whatever it holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding.pointer import is_pointer, split
from aegis_authz.redact.json_text import JsonText
from aegis_authz.redact.text.pattern import Span
from aegis_authz.redact.text.view import Replacement

ANY = "*"
"""A segment that stands for every member or element; `~1` and `~0` escape as in RFC 6901."""

FIELD_MARKER = b'"[REDACTED]"'
"""What stands in the place of a field: a text, whatever it was, for a number or an empty list would be believed."""


@dataclass(frozen=True, slots=True)
class Field:
    """One pointer: as written, and split. Names match in any case, for some readers ignore it."""

    pointer: str
    segments: tuple[str, ...]

    def below(self) -> Field:
        """The same field, as it is named from inside the member of its first segment."""
        return Field(self.pointer, self.segments[1:])


def read_field(pointer: str) -> Field:
    """Read an RFC 6901 pointer whose segments may be `*`. Raises Refused(OBLIGATION_UNKNOWN) for anything else."""
    if not is_pointer(pointer):
        raise Refused(Reason.OBLIGATION_UNKNOWN, "a field is no JSON pointer")
    return Field(pointer, tuple(segment.casefold() for segment in split(pointer)))


def in_lines(field: Field, member: str) -> Iterator[Field]:
    """What a field is in one text of many: as it is, as named from an object that has them as its `member`, and as
    named from a list of them. Which of them a number means is not looked at: it is every one.
    """
    yield field
    first, second = (*field.segments[:2], ANY, ANY)[:2]
    if first in (ANY, member) and _is_index(second):
        yield field.below().below()
    if first == ANY or (first.isdecimal() and len(field.segments) > 1):  # /0 alone is the first of each list
        yield field.below()


def _is_index(segment: str) -> bool:
    return segment == ANY or segment.isdecimal()


def field_edits(text: JsonText, within: Span, fields: Iterable[Field], counts: Counter[str]) -> Iterator[Replacement]:
    """A marker in place of all that the fields name in one value; of a name that stands twice each, null left."""
    for field in fields:
        for start, end in _places(text, within, field.segments, 0):
            if text.first_byte((start, end)) != b"n":
                counts[field.pointer] += 1
                yield Replacement(start, end, FIELD_MARKER)


def _places(text: JsonText, value: Span, segments: tuple[str, ...], depth: int) -> Iterator[Span]:
    if depth == len(segments):
        yield value
        return
    segment = segments[depth]
    first = text.first_byte(value)
    if first == b"{":
        for member in text.members(value):
            if segment in (ANY, member.name.casefold()):
                yield from _places(text, member.value, segments, depth + 1)
    elif first == b"[":
        for place, element in enumerate(text.elements(value)):
            if segment in (ANY, str(place)):
                yield from _places(text, element, segments, depth + 1)
