"""The redactor: finds what detectors name in a text, puts a marker there, and counts.

Deterministic: the same input is redacted the same way every time. What it cannot see: a value split
over several strings or events, and encodings other than the escapes of JSON, URLs and HTML.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from aegis_authz.redact.detectors.table import Detector
from aegis_authz.redact.text.folding import views
from aegis_authz.redact.text.topics import NO_TOPICS, Topics

FIELD_MARKER = "[REDACTED]"
_SHORT, _REMEMBERED = 64, 4096
"""Keys and the like come again and again: so many short harmless texts are remembered for one body."""


def marker(detector: str) -> str:
    """What stands where a detector matched."""
    return f"[REDACTED:{detector}]"


class Redactor:
    """Redacts by its detectors; `counts` maps a detector (or JSON pointer) to how often it matched."""

    def __init__(self, detectors: Mapping[str, Detector]) -> None:
        self._detectors = detectors
        self._harmless: set[tuple[str, Topics]] = set()
        self.counts: Counter[str] = Counter()

    def text(self, text: str, topics: Topics = NO_TOPICS) -> str:
        """The text with a marker in place of every match. Matches that overlap become one marker."""
        if not text or not self._detectors or (text, topics) in self._harmless:
            return text
        found = self._find(text, topics)
        if not found:
            if len(text) <= _SHORT and len(self._harmless) < _REMEMBERED:
                self._harmless.add((text, topics))
            return text
        parts: list[str] = []
        read = 0
        for start, end, name in _merged(found):
            parts += (text[read:start], marker(name))
            self.counts[name] += 1
            read = end
        parts.append(text[read:])
        return "".join(parts)

    def _find(self, text: str, topics: Topics) -> list[tuple[int, int, str]]:
        found = {
            (*view.original(start, end), name)
            for view in views(text)
            for name, detector in self._detectors.items()
            for start, end in detector(view.text, topics)
        }
        return sorted(found, key=lambda match: (match[0], -match[1], match[2]))


def _merged(found: list[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    merged = [found[0]]
    for start, end, name in found[1:]:
        last_start, last_end, last_name = merged[-1]
        if start < last_end:
            merged[-1] = (last_start, max(end, last_end), last_name)
        else:
            merged.append((start, end, name))
    return merged
