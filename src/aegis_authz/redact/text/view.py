"""A text as detectors see it, and the way back from a place in it to the bytes it was made of."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from aegis_authz.redact.text.pattern import Span


class Replacement(NamedTuple):
    """Bytes `start` to `end` of a text, and what stands for them in its view."""

    start: int
    end: int
    shown: bytes


class OffsetMap:
    """The places where a view differs from its original; between them both run alike."""

    def __init__(self) -> None:
        self._viewed = [0]
        self._viewed_ends = [0]
        self._originals = [0]
        self._original_ends = [0]

    def add(self, viewed: int, viewed_end: int, original: int, original_end: int) -> None:
        """Say that `viewed` to `viewed_end` stands for `original` to `original_end`; in ascending order."""
        self._viewed.append(viewed)
        self._viewed_ends.append(viewed_end)
        self._originals.append(original)
        self._original_ends.append(original_end)

    def original(self, span: Span) -> Span:
        """The bytes behind a span of the view, which must not be empty; of a replaced part always all."""
        start, end = span[0], span[1] - 1
        first = bisect_right(self._viewed, start) - 1
        last = bisect_right(self._viewed, end) - 1
        if start < self._viewed_ends[first]:
            begin = self._originals[first]
        else:
            begin = self._original_ends[first] + start - self._viewed_ends[first]
        if end < self._viewed_ends[last]:
            return begin, self._original_ends[last]
        return begin, self._original_ends[last] + end - self._viewed_ends[last] + 1


@dataclass(frozen=True, slots=True)
class View:
    """`data` as it is searched; `maps` lead back to the original, the last one first."""

    data: bytes
    maps: tuple[OffsetMap, ...] = ()

    def original(self, span: Span) -> Span:
        """The bytes of the original behind a span of `data`."""
        for offsets in reversed(self.maps):
            span = offsets.original(span)
        return span

    def replaced(self, replacements: Iterator[Replacement]) -> View:
        """This view with parts replaced, which come in ascending order."""
        offsets = OffsetMap()
        parts: list[bytes] = []
        read = length = 0
        for replacement in replacements:
            plain = self.data[read : replacement.start]
            parts += (plain, replacement.shown)
            length += len(plain)
            offsets.add(length, length + len(replacement.shown), replacement.start, replacement.end)
            length += len(replacement.shown)
            read = replacement.end
        if not parts:
            return self
        parts.append(self.data[read:])
        return View(b"".join(parts), (*self.maps, offsets))
