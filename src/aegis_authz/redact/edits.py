"""Edits: the places of a text where something else is to stand. What no edit names stays byte for byte."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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
    places: list[Span] = []
    for start, end in spans:
        shift = growth = 0
        is_whole = True
        for edit in edits:
            more = len(edit.shown) - (edit.end - edit.start)
            if start <= edit.start and edit.end <= end:
                growth += more
            elif edit.end <= start:
                shift += more
            elif edit.start < end:
                is_whole = False
        if is_whole:
            places.append((start + shift, end + shift + growth))
    return places
