"""The path templates of the catalogue: which path is which, with what variables, and which template comes first.

A segment is a text, one variable (`{id}`), or texts and variables in turn (`{id}.json`, `{name}:verb`,
`{owner}@{version}`); the last may be a tail, `{path...}`, which is one segment or more.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from functools import lru_cache

_VARIABLE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_TAIL = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\.\.\.\}")
_LITERAL = re.compile(r"[A-Za-z0-9._~!$&'()*+,=:@-]*\Z")
_ANY, _MORE = "{", "}"  # a character, and any number of them: neither is in a literal


class Rank(IntEnum):
    """What a segment is; of two templates that match a path, the lower rank wins, leftmost first."""

    LITERAL = 1
    MIXED = 2
    VARIABLE = 3
    TAIL = 4


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment of a template: `literals` stand before, between and after its `variables`, and may be empty.

    `forms` are the literals without differences of case.
    """

    rank: Rank
    literals: tuple[str, ...]
    variables: tuple[str, ...]
    forms: tuple[str, ...]

    def split(self, text: str) -> list[str] | None:
        """The values of the variables in a text, each as short as can be, leftmost first; None where none fit."""
        return _first_split(self.literals, text)


@dataclass(frozen=True, slots=True)
class Reading:
    """The variables of a path. `is_sure` says that no other values of them make the same path."""

    variables: dict[str, str]
    is_sure: bool


@dataclass(frozen=True, slots=True)
class PathTemplate:
    """A template: `segments` without the tail, and the name of the tail's variable, "" for none.

    `ranks`, the tail's included, orders templates: the lower comes first.
    """

    segments: tuple[Segment, ...]
    tail: str
    ranks: tuple[Rank, ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """The names of all variables, from left to right."""
        names = [variable for segment in self.segments for variable in segment.variables]
        return (*names, self.tail) if self.tail else tuple(names)

    def match(self, segments: Sequence[str]) -> Reading | None:
        """The variables of a path, None where the template does not match. No variable is empty, in no segment."""
        count = len(self.segments)
        if len(segments) <= count if self.tail else len(segments) != count:
            return None
        variables: dict[str, str] = {}
        is_sure = True
        for segment, text in zip(self.segments, segments, strict=False):
            if segment.rank is Rank.LITERAL:
                if text != segment.literals[0]:
                    return None
            elif segment.rank is Rank.VARIABLE:
                if not text:
                    return None
                variables[segment.variables[0]] = text
            else:
                values = segment.split(text)
                if values is None:
                    return None
                is_sure = is_sure and values == _last_split(segment.literals, text)
                variables.update(zip(segment.variables, values, strict=True))
        if self.tail:
            if not all(segments[count:]):
                return None
            variables[self.tail] = "/".join(segments[count:])
        return Reading(variables, is_sure)

    @property
    def kin(self) -> tuple[tuple[Rank, str], ...]:
        """Equal for all templates that may tie, and a key for them: the ranks, and the texts without variables."""
        texts = (segment.literals[0] if segment.rank is Rank.LITERAL else "" for segment in self.segments)
        return tuple(zip(self.ranks, (*texts, ""), strict=False))

    def may_tie(self, rival: PathTemplate) -> bool:
        """Whether some path matches both templates and neither comes first."""
        return self.kin == rival.kin and all(map(_meet, self.segments, rival.segments))


@lru_cache(8192)
def read_template(segments: tuple[str, ...]) -> PathTemplate:
    """A template from its segments as they are written. Raises ValueError for what is none."""
    *heads, last = segments
    tail = _TAIL.fullmatch(last)
    read = tuple(_segment(text) for text in (heads if tail else segments))
    template = PathTemplate(
        read, tail.group(1) if tail else "", (*(segment.rank for segment in read), *([Rank.TAIL] if tail else []))
    )
    if len(set(template.variables)) != len(template.variables):
        raise ValueError("names a path variable twice")
    return template


def _segment(text: str) -> Segment:
    if "...}" in text and _TAIL.search(text):
        raise ValueError(f"{text!r}: a tail such as {{path...}} is the whole last segment")
    pieces = _VARIABLE.split(text)  # literal, variable, literal, ...
    literals, variables = tuple(pieces[0::2]), tuple(pieces[1::2])
    if not all(map(_LITERAL.match, literals)):
        raise ValueError(f"{text!r} is neither plain text nor text with {{variables}}")
    if not all(literals[1:-1]):
        raise ValueError(f"{text!r} has two variables with nothing between them: nobody knows where one ends")
    rank = Rank.LITERAL if not variables else Rank.MIXED if len(variables) > 1 or any(literals) else Rank.VARIABLE
    return Segment(rank, literals, variables, tuple(map(str.casefold, literals)))


def _first_split(literals: Sequence[str], text: str) -> list[str] | None:
    """The values with every separator as far to the left as can be; None where the text does not match."""
    if not text.startswith(literals[0]) or not text.endswith(literals[-1]):
        return None
    values: list[str] = []
    start, end = len(literals[0]), len(text) - len(literals[-1])
    for separator in literals[1:-1]:
        at = text.find(separator, start + 1, end)
        if at < 0:
            return None
        values.append(text[start:at])
        start = at + len(separator)
    return [*values, text[start:end]] if start < end else None


def _last_split(literals: Sequence[str], text: str) -> list[str] | None:
    """The same with every separator as far to the right as can be: where the two agree, there is one way."""
    values: list[str] = []
    start, end = len(literals[0]), len(text) - len(literals[-1])
    for separator in reversed(literals[1:-1]):
        at = text.rfind(separator, start, end - 1)
        if at < 0:
            return None
        values.append(text[at + len(separator) : end])
        end = at
    return [text[start:end], *reversed(values)]


def _meet(segment: Segment, rival: Segment) -> bool:
    if segment.rank is not Rank.MIXED:
        return True
    return _intersect(_pattern(segment), _pattern(rival))


def _pattern(segment: Segment) -> str:
    return (_ANY + _MORE).join(segment.literals)


def _intersect(pattern: str, rival: str) -> bool:
    """Whether some text matches both patterns, by the pairs of places that can be reached in them."""
    reached, ahead = {(0, 0)}, [(0, 0)]
    while ahead:
        at, place = ahead.pop()
        here, there = pattern[at : at + 1], rival[place : place + 1]
        if not here and not there:
            return True
        steps = []
        if here == _MORE:
            steps += [(at + 1, place), *([(at, place + 1)] if there and there != _MORE else [])]
        if there == _MORE:
            steps += [(at, place + 1), *([(at + 1, place)] if here and here != _MORE else [])]
        if here and there and _MORE not in (here, there) and (here == there or _ANY in (here, there)):
            steps.append((at + 1, place + 1))
        new = [step for step in steps if step not in reached]
        reached.update(new)
        ahead += new
    return False
