"""Forms by their places: the fields that pointers name, in `application/x-www-form-urlencoded` and in parts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from urllib.parse import unquote_to_bytes

from aegis_authz.redact.fields import ANY, Field
from aegis_authz.redact.text.view import Replacement

MARKER = b"[REDACTED]"
"""What stands in the place of a field that a pointer names."""

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)\Z")
_PART = re.compile(r"\[([^\[\]]*)\]")


class FieldPlaces:
    """Which fields of one form the pointers name; counts them by pointer."""

    def __init__(self, fields: Sequence[Field], counts: Counter[str]) -> None:
        self._fields = fields
        self._counts = counts
        self._elements: Counter[str] = Counter()

    def names(self, name: str) -> bool:
        """Whether the next field, of that name, is named by a pointer, or stands below what is."""
        path = self._path(name)
        for field in self._fields:
            if _covers(field.segments, path):
                self._counts[field.pointer] += 1
                return True
        return False

    def is_above(self, name: str) -> bool:
        """Whether a pointer leads to something below a field of that name."""
        match = _NAME.match(name)
        depth = 1 if match is None else 1 + match[2].count("[")
        path = [name] if match is None else [match[1], *_PART.findall(match[2])]
        folded = [part.casefold() or ANY for part in path]
        return any(len(field.segments) > depth and _may_match(field.segments, folded) for field in self._fields)

    def _path(self, name: str) -> tuple[str, ...]:
        """The names on the way to a field; an element written `[]` has its number."""
        match = _NAME.match(name)
        if match is None:
            return (name.casefold(),)
        parts = [match[1], *_PART.findall(match[2])]
        if parts[-1] == "":
            parts[-1] = str(self._elements[name])
            self._elements[name] += 1
        return tuple(part.casefold() for part in parts)


def _covers(segments: Sequence[str], path: Sequence[str]) -> bool:
    """Whether a pointer leads to a field, above it, or to an element of what may be a list of pairs of one name."""
    if len(segments) > len(path):
        is_element = len(segments) == len(path) + 1 and (segments[-1] == ANY or segments[-1].isdecimal())
        return is_element and _matches(segments, path)
    return _matches(segments, path)


def _matches(segments: Sequence[str], path: Sequence[str]) -> bool:
    return all(segment in (ANY, part) for segment, part in zip(segments, path, strict=False))


def _may_match(segments: Sequence[str], path: Sequence[str]) -> bool:
    return all(ANY in (segment, part) or segment == part for segment, part in zip(segments, path, strict=False))


def form_edits(data: bytes, places: FieldPlaces) -> Iterator[Replacement] | None:
    """A marker in place of each value that is named; None for what is no form, in which nothing can be found."""
    pairs = list(_pairs(data))
    if any(mark < 0 for _, mark, _ in pairs):
        return None
    return _edits(data, pairs, places)


def _edits(data: bytes, pairs: Iterable[tuple[int, int, int]], places: FieldPlaces) -> Iterator[Replacement]:
    for start, mark, end in pairs:
        name = unquote_to_bytes(data[start:mark].replace(b"+", b" ")).decode("utf-8", "replace")
        if places.names(name) and end > mark + 1:
            yield Replacement(mark + 1, end, MARKER)


def _pairs(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Where each pair begins, has its `=` (-1 for none) and ends."""
    start = 0
    for pair in data.split(b"&"):
        at = pair.find(b"=")
        yield start, start + at if at >= 0 else -1, start + len(pair)
        start += len(pair) + 1
