"""The redactor: puts a marker in place of all that is found in a text or a JSON text, and counts.

Deterministic: the same input is redacted the same way every time, and what is not redacted stays byte for byte.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from aegis_authz.redact.edits import Places, at_origin, edited
from aegis_authz.redact.finder import Finder, Found, joined
from aegis_authz.redact.json_text import JsonText, escaped, looks_like_json, unescaped
from aegis_authz.redact.text.pattern import Span
from aegis_authz.redact.text.view import Replacement, View

_NESTING = 3
"""JSON in a string in JSON in a string: deeper than this it is looked at as text."""

_BEFORE = re.compile(rb"\\+\Z")
_UNICODE_BEFORE = re.compile(rb"\\u[0-9a-fA-F]{0,3}\Z")
_NUMBER_START = re.compile(rb"[0-9.eE+-]*\Z")
_NUMBER_END = re.compile(rb"[0-9.eE+-]*")
_NAME_END = re.compile(rb'"[ \t\r\n]*:')
_NUMBER_LENGTH = 400


@lru_cache(maxsize=256)
def marker(detector: str) -> bytes:
    """What stands where a detector matched."""
    return f"[REDACTED:{detector}]".encode()


class Redactor:
    """Redacts by what its finder finds; `counts` maps a detector (or JSON pointer) to how often it matched.

    JSON numbers are left as they are unless `numbers` says that a marker, a text, may take their place.
    """

    def __init__(self, finder: Finder, *, numbers: bool) -> None:
        self._finder = finder
        self._numbers = numbers
        self.counts: Counter[str] = Counter()
        self._names: Counter[bytes] = Counter()
        self._searched = b""
        self._latest: list[Found] = []

    def text(self, data: bytes, *, looks_behind: bool = True) -> bytes:
        """The text with a marker in place of every match. Matches that overlap become one marker."""
        return self._marked(data, self._matches(data) if looks_behind else self._finder.find(data, looks_behind=False))

    def form(self, data: bytes) -> bytes:
        """`text` for a form as browsers send it, in which a plus sign is a space."""
        matches = self._finder.find(data) + self._finder.find(data.replace(b"+", b" "))
        return self._marked(data, joined(matches))

    def following(self, before: bytes, data: bytes, place: int) -> tuple[int, list[Replacement]]:
        """What `text` does to what follows `before`, which was shown already, up to `place` or to a match over it.

        Returns how many bytes of `data` may be shown, and the edits of these.
        """
        begin = len(before)
        matches = [one for one in self._finder.find(before + data, looks_behind=False) if one.end > begin]
        for match in matches:
            if match.start - begin < place < match.end - begin:
                place = max(0, match.start - begin)
        return place, [
            self._edit(max(match.start, begin) - begin, match.end - begin, match.name)
            for match in matches
            if match.end - begin <= place
        ]

    def json(self, data: bytes, kept: Iterable[Span] = ()) -> bytes:
        """`text` for JSON: markers stay inside strings, `kept` places as they are."""
        return edited(data, self._edits(data, tuple(kept), _NESTING))

    def has_match(self, data: bytes) -> bool:
        """Whether a text holds anything that must be redacted; nothing is counted."""
        return bool(self._matches(data))

    def suspects(self, texts: Sequence[bytes]) -> Mapping[int, list[Found] | None]:
        """Which of the texts may hold what must be redacted, with what is known of that; nothing is counted."""
        return self._finder.suspects(texts)

    def has_match_in(self, texts: Sequence[bytes]) -> bool:
        """Whether any of the texts by itself holds anything that must be redacted; nothing is counted."""
        return any(
            self.has_match(texts[place]) if matches is None else matches
            for place, matches in self._finder.suspects(texts).items()
        )

    def recall(self, data: bytes, matches: list[Found]) -> None:
        """What is found in a text that is redacted next, so that it is not searched again."""
        self._searched, self._latest = data, matches

    def _matches(self, data: bytes) -> list[Found]:
        """What is found; the same text is asked for what it holds, and then for its places."""
        if data is not self._searched:
            self._searched, self._latest = data, self._finder.find(data)
        return self._latest

    def _marked(self, data: bytes, matches: Sequence[Found]) -> bytes:
        """The text with markers in the places of matches, which are in order and do not overlap."""
        if not matches:
            return data
        parts: list[bytes] = []
        read = 0
        for start, end, name in matches:
            parts += (data[read:start], marker(name))
            read = end
        self.counts.update([match.name for match in matches])
        parts.append(data[read:])
        return b"".join(parts)

    def _edit(self, start: int, end: int, name: str) -> Replacement:
        self.counts[name] += 1
        return Replacement(start, end, marker(name))

    def _edits(self, data: bytes, kept: tuple[Span, ...], nesting: int) -> Iterator[Replacement]:
        matches = self._matches(data)
        if not matches:
            return
        strings = _Strings(data)
        spared = Places(kept)
        has_escapes = b"\\" in data
        reached = 0
        plain: Span | None = None  # the latest string that is no JSON: it may be all of a body, and hold all matches
        for match in matches:
            self._finder.tick()
            if match.start < reached or (kept and spared.meet(match.start, match.end)):
                continue
            string = strings.around(match.start, match.end)
            if string is None:
                edit = self._number(data, match) if strings.is_outside(match.start, match.end) else None
                if edit is not None:
                    reached = edit.end
                    yield edit
                continue
            if nesting and string != plain:
                view = _inner_json(data, string)
                if view is not None:
                    reached = string[1]
                    for edit in at_origin(self._edits(view.data, (), nesting - 1), view, string[0]):
                        yield Replacement(edit.start, edit.end, escaped(edit.shown))
                    continue
                plain = string
            start, end = match.start, match.end
            if has_escapes:
                start, end = _whole_escapes(data, start, end)
            edit = self._edit(start, end, match.name)
            if _NAME_END.match(data, string[1]) is not None:
                edit = Replacement(start, end, self._distinct(edit.shown))
            yield edit

    def _number(self, data: bytes, match: Found) -> Replacement | None:
        """The edit of a bare number, whose place a text takes, if that is wanted."""
        if not self._numbers:
            return None
        before = _NUMBER_START.search(data[max(0, match.start - _NUMBER_LENGTH) : match.start])
        after = _NUMBER_END.match(data, match.end)
        start = match.start - (len(before[0]) if before is not None else 0)
        end = after.end() if after is not None else match.end
        return Replacement(start, end, b'"' + self._edit(start, end, match.name).shown + b'"')

    def _distinct(self, shown: bytes) -> bytes:
        """Numbered from the second on, so that names of members which were made alike stay apart."""
        self._names[shown] += 1
        number = self._names[shown]
        return shown if number == 1 else shown + f"#{number}".encode()


class _Strings:
    """Where the strings of a JSON text are, asked for ascending places."""

    def __init__(self, data: bytes) -> None:
        # of the same length: only quotes that begin or end a string are left
        self._quotes = data.replace(b"\\\\", b"\x7f\x7f").replace(b'\\"', b"\x7f\x7f")
        self._counted = 0
        self._is_inside = False
        self._begin = self._end = -1

    def around(self, start: int, end: int) -> Span | None:
        """The string that holds all of a span, quotes left out."""
        if self._quotes.count(b'"', self._counted, start) % 2:
            self._is_inside = not self._is_inside
        self._counted = start
        if not self._is_inside:
            return None
        if self._end < start:  # another string, which begins behind the one before
            self._begin = self._quotes.rfind(b'"', self._end + 1, start) + 1
            self._end = self._quotes.find(b'"', start)
        if self._end < end:
            return None
        return self._begin, self._end

    def is_outside(self, start: int, end: int) -> bool:
        """Whether no part of a span is in a string."""
        return not self._is_inside and b'"' not in self._quotes[start:end]


def _inner_json(data: bytes, string: Span) -> View | None:
    """What a string holds, read once, where that is JSON."""
    if data[string[0] : string[0] + 1] not in (b"{", b"[", b" ", b"\\"):
        return None
    content = data[slice(*string)]
    view = unescaped(content) if _may_be_json(content) else None
    return None if view is None or JsonText.read(view.data) is None else view


def _may_be_json(data: bytes) -> bool:
    """Whether what stands in a string begins as JSON does, after white space in whatever spelling."""
    return looks_like_json(data.replace(b"\\n", b"  ").replace(b"\\r", b"  ").replace(b"\\t", b"  "))


def _whole_escapes(data: bytes, start: int, end: int) -> Span:
    """The span, widened to the escapes that it cuts: a marker must not stand between a backslash and its letter."""
    return _escape_start(data, start), _escape_end(data, end)


def _escape_start(data: bytes, place: int) -> int:
    before = data[max(0, place - 64) : place]
    slashes = _BEFORE.search(before)
    if slashes is not None:
        return place - len(slashes[0]) % 2
    unicode = _UNICODE_BEFORE.search(before)
    if unicode is not None and _is_escape(before, unicode.start()):
        return place - len(unicode[0])
    return place


def _escape_end(data: bytes, place: int) -> int:
    start = _escape_start(data, place)
    if start == place:
        return place
    return start + (6 if data[start + 1 : start + 2] == b"u" else 2)


def _is_escape(before: bytes, slash: int) -> bool:
    """Whether the backslash begins an escape and is not itself escaped."""
    slashes = _BEFORE.search(before[: slash + 1])
    return slashes is not None and len(slashes[0]) % 2 == 1
