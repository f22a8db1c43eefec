"""Where the values of a document stand in their file, and problems that show it."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

from aegis_authz.core.json_value import Json
from aegis_authz.policy.source.problems import EXCERPT_WIDTH, Problem, printable

Location = tuple[str | int, ...]
"""Where a value stands in its document: member names and list positions from the root."""

Offset = int
"""A position in a text, counted in characters from 0."""

_LINE_BREAK = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a text, counted from 1."""

    line: int
    column: int


@dataclass(frozen=True)
class Places:
    """Where a document's values and keys stand. `marks` are those of all of them, in the order they were written.

    Most documents are never asked, so places are looked up by location only once somebody does.
    """

    text: str = field(repr=False)
    root: Json
    marks: list[Offset]

    @property
    def of_values(self) -> dict[Location, Place]:
        return self._placed[0]

    @property
    def of_keys(self) -> dict[Location, Place]:
        return self._placed[1]

    @cached_property
    def _placed(self) -> tuple[dict[Location, Place], dict[Location, Place]]:
        values: dict[Location, Place] = {}
        keys: dict[Location, Place] = {}
        marks = iter(self.marks)

        def next_place() -> Place:
            return place_of(self.text, next(marks))

        def walk(value: Json, location: Location) -> None:
            values[location] = next_place()
            if isinstance(value, dict):
                for name, member in value.items():
                    keys[(*location, name)] = next_place()
                    walk(member, (*location, name))
            elif isinstance(value, list):
                for position, element in enumerate(value):
                    walk(element, (*location, position))

        if self.marks:
            walk(self.root, ())
        return values, keys


class Area:
    """Some locations of a document, with what lies inside them."""

    def __init__(self, locations: Iterable[Location]) -> None:
        self._whole = frozenset(locations)
        self._partly = {location[:length] for location in self._whole for length in range(len(location))}

    def holds(self, location: Location) -> bool:
        """Whether it is one of them or lies inside one."""
        whole = self._whole
        return bool(whole) and any(location[:length] in whole for length in range(len(location) + 1))

    def touches(self, location: Location) -> bool:
        """Whether it is one of them, lies inside one or around one."""
        return location in self._partly or self.holds(location)


def field_name(location: Location) -> str:
    """`allowed_tools[0].conditions.max_amount` for a location."""
    name = ""
    for part in location:
        if isinstance(part, int):
            name += f"[{part}]"
        else:
            label = printable(part[:80])
            name += f".{label}" if name else label
    return name


def as_written(value: Json, location: Location) -> Location:
    """The location without the positions of lists that are not there: one value may stand for a list of one."""
    parts: list[str | int] = []
    for part in location:
        if isinstance(part, int) and not isinstance(value, list):
            continue
        parts.append(part)
        value = inside(value, (part,))
    return tuple(parts)


def inside(value: Json, location: Location) -> Json:
    """What stands at a location, None where nothing does."""
    for part in location:
        if isinstance(value, Mapping) and part in value:
            value = value[str(part)]
        elif isinstance(value, list) and isinstance(part, int) and part < len(value):
            value = value[part]
        else:
            return None
    return value


def place_of(text: str, offset: Offset) -> Place:
    """Line and column of a position."""
    _, starts = _lines(text)
    line = bisect_right(starts, offset)
    return Place(line, offset - starts[line - 1] + 1)


def problem_at(path: str, text: str, place: Place, name: str, message: str) -> Problem:
    """A problem of the field `name` with the source around it; of long lines, what is near."""
    lines, _ = _lines(text)
    line = lines[place.line - 1] if 0 < place.line <= len(lines) else ""
    before = lines[place.line - 2] if 1 < place.line <= len(lines) + 1 else ""
    cut = 0 if place.column <= EXCERPT_WIDTH * 3 // 4 else place.column - 1 - EXCERPT_WIDTH // 2
    excerpt, above = (printable(source_line[cut : cut + EXCERPT_WIDTH]) for source_line in (line, before))
    return Problem(path, place.line, place.column, name, message, excerpt, above, cut)


@lru_cache(maxsize=2)  # the problems of one file come one after the other
def _lines(text: str) -> tuple[list[str], list[Offset]]:
    """The lines of a text and where each begins."""
    starts = [0, *(match.end() for match in _LINE_BREAK.finditer(text))]
    return _LINE_BREAK.split(text), starts
