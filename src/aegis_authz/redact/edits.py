"""Edits: the places of a text where something else is to stand. What no edit names stays byte for byte."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from itertools import accumulate
from operator import itemgetter

from aegis_authz.redact.text.pattern import Span
from aegis_authz.redact.text.view import Replacement, View


def edited(data: bytes, edits: Iterable[Replacement]) -> bytes:
    """The text with all edits made; of two that overlap the one that begins first, and of these the longer, is made."""
    parts: list[bytes] = []
    read = 0
    for start, end, replacement in sorted(sorted(edits, key=itemgetter(1), reverse=True), key=itemgetter(0)):
        if start < read:
            read = max(read, end)
            continue
        parts += (data[read:start], replacement)
        read = end
    if not parts:
        return data
    parts.append(data[read:])
    return b"".join(parts)


def at_origin(edits: Iterable[Replacement], view: View, offset: int) -> list[Replacement]:
    """Edits of a view as edits of what it was made of, which begins at `offset`; none of them is empty."""
    moved: list[Replacement] = []
    for edit in edits:
        start, end = view.original((edit.start, edit.end))
        moved.append(Replacement(start + offset, end + offset, edit.shown))
    return moved


def moved(spans: Iterable[Span], edits: Sequence[Replacement]) -> list[Span]:
    """Where the spans stand after the edits; those that an edit reaches over are gone."""
    edits = sorted(edits)
    starts = [edit.start for edit in edits]
    growths = [len(edit.shown) - (edit.end - edit.start) for edit in edits]
    shifts = list(accumulate(growths, initial=0))
    reaches = list(accumulate((edit.end for edit in edits), max, initial=0))
    places: list[Span] = []
    for start, end in spans:
        first = bisect_left(starts, start)
        if reaches[first] > start:
            continue
        last = bisect_right(starts, end, first)
        growth = 0
        for place in range(first, last):
            if edits[place].end <= end:
                growth += growths[place]
            elif edits[place].start < end:
                break
        else:
            places.append((start + shifts[first], end + shifts[first] + growth))
    return places


class Places:
    """Spans in any order, and whether another meets one of them."""

    def __init__(self, spans: Iterable[Span]) -> None:
        ordered = sorted(spans)
        self._starts = [start for start, _ in ordered]
        self._reaches = list(accumulate((end for _, end in ordered), max, initial=-1))

    def meet(self, start: int, end: int) -> bool:
        """Whether a span has a byte of one of them."""
        return self._reaches[bisect_left(self._starts, end)] > start
