"""A text as detectors see it, and the way back from a place in it to the bytes it was made of."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, chain
from typing import NamedTuple

from aegis_authz.redact.text.pattern import Span


class Replacement(NamedTuple):
    """Bytes `start` to `end` of a text, and what stands for them in its view."""

    start: int
    end: int
    shown: bytes


class OffsetMap:
    """From places in a view to places in its original, both cut into parts: a plain one, a replaced one, and so on.

    Plain parts are as long in both; a replaced part stands for all of its original. Nothing is added up before the
    first place is looked for: most views hold nothing that anybody looks for.
    """

    def __init__(self, shown: Sequence[int], written: Sequence[int]) -> None:
        self._lengths = (shown, written)
        self._viewed: list[int] = []
        self._originals: list[int] = []

    def original(self, span: Span) -> Span:
        """The bytes behind a span of the view, which must not be empty; of a replaced part always all."""
        if not self._viewed:
            self._viewed, self._originals = (list(chain((0,), accumulate(lengths))) for lengths in self._lengths)
        start, end = span[0], span[1] - 1
        first = bisect_right(self._viewed, start) - 1
        last = bisect_right(self._viewed, end) - 1
        begin = self._originals[first] if first % 2 else self._originals[first] + start - self._viewed[first]
        if last % 2:
            return begin, self._originals[last + 1]
        return begin, self._originals[last] + end - self._viewed[last] + 1


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

    def replaced(self, parts: Sequence[bytes], written: Sequence[int]) -> View:
        """The view of these parts: a plain one, a replaced one, and so on; `written` is how long each was before."""
        return View(b"".join(parts), (*self.maps, OffsetMap(list(map(len, parts)), written)))
