"""The finder: what detectors find in a text, in every view of it, as spans of its bytes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

from aegis_authz.redact.base64_runs import base64_texts
from aegis_authz.redact.detectors.presence import NamedSearch, Presence
from aegis_authz.redact.detectors.table import Detector
from aegis_authz.redact.text.escapes import has_escapes, readings
from aegis_authz.redact.text.folding import folded
from aegis_authz.redact.text.pattern import Span
from aegis_authz.redact.text.searched import MARKED, MARKER_LENGTH, Searched
from aegis_authz.redact.text.view import View

_NESTING = 1
"""Base64 in Base64: deeper than this it is not opened."""

_BORDER = b'\n\0";\0\n'
"""Between texts that are searched together: no value reaches over it, and it hides none.

A letter that no form of a value has, white space at which words end, and what ends each form that takes any letter.
"""
_STRONG_BORDER = b'\n\0";<!---->' + b" " * MARKER_LENGTH + b'";\0\n'
"""The same where tags and comments are read, none of which goes over a comment, and behind our own markers."""


_Match = tuple[int, int, str]


class Found(NamedTuple):
    """Bytes `start` to `end` are what the detector `name` looks for."""

    start: int
    end: int
    name: str


class Finder:
    """Searches texts with its detectors. `tick` raises Refused when there is no time left."""

    def __init__(self, detectors: Mapping[str, Detector], *, is_loose: bool, tick: Callable[[], None]) -> None:
        self._presence = _presence_of(tuple(detectors.items())) if detectors else None
        self._is_loose = is_loose
        self._tick = tick

    def tick(self) -> None:
        """Raises Refused when there is no time left."""
        self._tick()

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to look for."""
        return self._presence is None

    def find(self, data: bytes, *, looks_behind: bool = True) -> list[Found]:
        """All that is found, in order, what overlaps joined under the name of what begins first."""
        if not data or self._presence is None:
            return []
        return joined(self._matches(data, looks_behind))

    def _matches(self, data: bytes, looks_behind: bool) -> set[_Match]:
        """What is found in every view, as places in the text."""
        matches: set[_Match] = set()
        for view in _views(data):
            spans = self._spans(view.data, looks_behind)
            matches.update(spans if not view.maps else ((*view.original(span[:2]), span[2]) for span in spans))
        matches.update((*view.original(span), name) for name, span in self._encoded(view.data))
        return matches

    def suspects(self, texts: Sequence[bytes]) -> dict[int, list[Found] | None]:
        """Which of the texts may hold anything: all in which `find` finds something, and perhaps some neighbours.

        Each with what `find` finds in it, where that is known; None where it must be searched by itself. Searched
        together, for a search costs what a hundred bytes do, and texts may be shorter than that.
        """
        if self._presence is None or not texts:
            return {}
        if not self._presence.is_local or len(texts) == 1:
            return dict.fromkeys(range(len(texts)))
        border = _BORDER
        whole = border.join(texts)
        if MARKED in whole or has_escapes(whole):
            border = _STRONG_BORDER
            whole = border.join(texts)
        matches = self._matches(whole, True)
        if not matches:
            return {}
        starts = list(accumulate((len(text) + len(border) for text in texts[:-1]), initial=0))
        apart = self._presence.apart if border is _BORDER else frozenset()
        known: dict[int, list[_Match] | None] = {}
        for start, end, name in matches:  # not joined: what a word elsewhere makes a value may reach over another
            first = bisect_right(starts, start) - 1
            begin = starts[first]
            own = known.setdefault(first, [])
            if name not in apart or end > begin + len(texts[first]):
                known.update(dict.fromkeys(range(first, bisect_left(starts, end))))
            elif own is not None:
                own.append((start - begin, end - begin, name))
        return {place: own if own is None else joined(own) for place, own in known.items()}

    def _encoded(self, data: bytes, nesting: int = _NESTING) -> Iterator[tuple[str, Span]]:
        """Runs of Base64 with something to redact in them."""
        for span, text in base64_texts(data, self._tick):
            names = [name for view in _views(text) for _, _, name in self._spans(view.data, True)]
            if not names and nesting:
                names = [name for name, _ in self._encoded(text, nesting - 1)]
            if names:
                yield names[0], span

    def _spans(self, data: bytes, looks_behind: bool) -> list[_Match]:
        searched = Searched(data, self._is_loose, looks_behind, self._tick)
        matches: list[_Match] = []
        for name, search in self._presence.searches_in(data) if self._presence is not None else ():
            self._tick()
            matches += [(start, end, name) for start, end in search.find(searched)]
        return matches


@lru_cache(maxsize=64)
def _presence_of(detectors: tuple[tuple[str, Detector], ...]) -> Presence:
    return Presence([NamedSearch(name, search) for name, searches in detectors for search in searches])


def _views(data: bytes) -> Iterator[View]:
    plain = View(data)
    yield folded(plain)
    if has_escapes(data):
        for read in readings(plain):
            yield folded(read)


def joined(matches: Iterable[_Match]) -> list[Found]:
    """What is found, in order; what overlaps is one, under the name of what begins first, of these the longest."""
    whole: list[_Match] = []
    first = reached = 0
    for match in sorted(matches):
        start, end, name = match
        if start >= reached:
            whole.append(match)
            first, reached = start, end
            continue
        if start != first or end <= reached:
            name = whole[-1][2]
        reached = max(end, reached)
        whole[-1] = (first, reached, name)
    return list(map(Found._make, whole))
