"""The finder: what detectors find in a text, in every view of it, as spans of its bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from typing import NamedTuple

from aegis_authz.redact.base64_runs import BASE64_HEAD, base64_texts
from aegis_authz.redact.detectors.presence import Presence
from aegis_authz.redact.detectors.table import Detector
from aegis_authz.redact.text.escapes import has_escapes, without_escapes
from aegis_authz.redact.text.folding import folded
from aegis_authz.redact.text.pattern import Span
from aegis_authz.redact.text.searched import Searched
from aegis_authz.redact.text.view import View

_BASE64 = "base64"


class Found(NamedTuple):
    """Bytes `start` to `end` are what the detector `name` looks for."""

    start: int
    end: int
    name: str


class Finder:
    """Searches texts with its detectors. `tick` raises Refused when there is no time left."""

    def __init__(self, detectors: Mapping[str, Detector], *, is_loose: bool, tick: Callable[[], None]) -> None:
        self._detectors = detectors
        self._presence = _presence_of(tuple(detectors.items()))
        self._is_loose = is_loose
        self._tick = tick

    @property
    def is_idle(self) -> bool:
        """Whether there is nothing to look for."""
        return not self._detectors

    def find(self, data: bytes, *, looks_behind: bool = True) -> list[Found]:
        """All that is found, in order, what overlaps joined under the name of what begins first."""
        if not data or not self._detectors:
            return []
        views = list(_views(data))
        matches = {
            (*view.original(span), name) for view in views for name, span in self._spans(view.data, looks_behind)
        }
        matches |= {(*views[-1].original(span), name) for name, span in self._encoded(views[-1].data)}
        return joined(map(Found._make, matches))

    def _encoded(self, data: bytes) -> Iterator[tuple[str, Span]]:
        """Runs of Base64 with something to redact in them."""
        if _BASE64 not in self._presence.names_in(data):
            return
        for span, text in base64_texts(data, self._tick):
            names = [name for view in _views(text) for name, _ in self._spans(view.data, True)]
            if names:
                yield names[0], span

    def _spans(self, data: bytes, looks_behind: bool) -> Iterator[tuple[str, Span]]:
        searched = Searched(data, self._is_loose, looks_behind, self._tick)
        present = self._presence.names_in(data)
        for name in self._detectors.keys() & present:
            self._tick()
            for span in self._detectors[name].find(searched):
                yield name, span


@lru_cache(maxsize=64)
def _presence_of(detectors: tuple[tuple[str, Detector], ...]) -> Presence:
    heads = {name: detector.heads for name, detector in detectors}
    examples = {name: detector.example for name, detector in detectors if detector.example}
    return Presence({**heads, _BASE64: (BASE64_HEAD,)}, examples)


def _views(data: bytes) -> Iterator[View]:
    plain = View(data)
    yield folded(plain)
    if has_escapes(data):
        read = without_escapes(plain)
        if read is not plain:
            yield folded(read)


def joined(matches: Iterable[Found]) -> list[Found]:
    """What is found, in order; what overlaps is one, under the name of what begins first."""
    whole: list[Found] = []
    reached = 0
    for begin, less, name in sorted([(start, -end, name) for start, end, name in matches]):
        if begin < reached:
            last = whole[-1]
            reached = max(-less, reached)
            whole[-1] = Found(last.start, reached, last.name)
        else:
            reached = -less
            whole.append(Found(begin, reached, name))
    return whole
