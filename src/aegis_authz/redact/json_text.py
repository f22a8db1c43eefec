"""JSON read leniently, by places: what a tool wrote stays as it is written.

Names twice, NaN, numbers of any length and a byte order mark are no reason not to look at a text; places are byte
offsets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import lru_cache
from json.decoder import scanstring  # type: ignore[attr-defined]  # there since 2.7, in no stub
from typing import NamedTuple, cast

from aegis_authz.redact.text.pattern import Span
from aegis_authz.redact.text.view import View

_LENIENT = json.JSONDecoder(strict=False, parse_float=str, parse_int=str, parse_constant=str)
_SCAN = _LENIENT.scan_once  # type: ignore[attr-defined]  # the scanner in C, which steps over a value
_STRINGS = json.JSONDecoder(strict=False)
_LONGEST_EVENT = 64 * 1024
_BOM = b"\xef\xbb\xbf"
_SPACE = re.compile(r"[ \t\r\n]*")
_OPENINGS = ("{", "[")
_STARTS = (b"{", b"[", b'"')
_ESCAPE = re.compile(rb"(\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|.))", re.DOTALL)


class Member(NamedTuple):
    """One member of an object: its name, and where its value stands."""

    name: str
    value: Span


class JsonText:
    """A JSON text and the places in it."""

    def __init__(self, data: bytes, text: str, root: Span) -> None:
        self._data = data
        self._text = text
        self._members: dict[Span, tuple[Member, ...]] = {}
        self.root = root

    @classmethod
    def read(cls, data: bytes) -> JsonText | None:
        """The text, or None for what is no JSON, or nested deeper than can be looked at."""
        begin = len(_BOM) if data.startswith(_BOM) else 0
        text = data.decode("latin-1")
        start = begin if text[begin : begin + 1] in _OPENINGS else _space_end(text, begin)
        try:
            end = _end(text, start)
        except (ValueError, StopIteration, RecursionError):
            return None
        is_whole = end == len(text) or _space_end(text, end) == len(text)
        return cls(data, text, (start, end)) if is_whole else None

    def first_byte(self, value: Span) -> bytes:
        """By which the kind of a value is known."""
        return self._data[value[0] : value[0] + 1]

    def bytes_of(self, value: Span) -> bytes:
        """A value as it is written."""
        return self._data[value[0] : value[1]]

    def members(self, value: Span) -> Iterator[Member]:
        """The members of an object, in order, those of one name each."""
        if len(self._data) > _LONGEST_EVENT:  # a body, of which every object remembered takes 20 times its bytes
            return self._written_members(value)
        members = self._members.get(value)
        if members is None:  # events of a stream are asked for the same ones by a dozen paths
            members = self._members[value] = tuple(self._written_members(value))
        return iter(members)

    def _written_members(self, value: Span) -> Iterator[Member]:
        text = self._text
        place = _value_start(text, value[0] + 1)
        while text[place] == '"':
            name, end = scanstring(text, place + 1, False)
            if not name.isascii():
                name = self.string((place, end))
            begin = _value_start(text, (end if text[end] == ":" else _space_end(text, end)) + 1)
            stop = _end(text, begin)
            yield Member(name, (begin, stop))
            place = stop if text[stop] in ",}" else _space_end(text, stop)
            if text[place] != ",":
                return
            place = _value_start(text, place + 1)

    def elements(self, value: Span) -> Iterator[Span]:
        """Where the elements of an array stand."""
        place = _space_end(self._text, value[0] + 1)
        while self._text[place] != "]":
            stop = _end(self._text, place)
            yield place, stop
            place = _space_end(self._text, stop)
            if self._text[place] == ",":
                place = _space_end(self._text, place + 1)

    def string(self, value: Span) -> str:
        """The text that a string stands for."""
        written = self._data[value[0] : value[1]]
        if b"\\" in written:
            return cast(str, _STRINGS.decode(written.decode("utf-8", "replace")))
        return written[1:-1].decode("utf-8", "replace")

    def strings(self) -> Iterator[Span]:
        """Every string that is JSON itself by its looks, quotes left out."""
        for match in _INNER.finditer(self._data):
            _, end = scanstring(self._text, match.start() + 1, False)
            yield match.start() + 1, end - 1


_INNER = re.compile(rb'"(?:[ \t]|\\[nrt])*(?:\{(?:[ \t]|\\[nrt])*(?:\\"|\})|\[(?:[ \t]|\\[nrt])*(?:[\[{\]]|\\"))')


def looks_like_json(data: bytes) -> bool:
    """Whether a text begins as JSON does."""
    return data.removeprefix(_BOM).lstrip()[:1] in _STARTS


def unescaped(written: bytes) -> View:
    """What stands between the quotes of a JSON string, with its escapes read once."""
    parts = _ESCAPE.split(written)
    if len(parts) == 1:
        return View(written)
    lengths = list(map(len, parts))
    parts[1::2] = map(_meaning, parts[1::2])
    return View(written).replaced(parts, lengths)


def escaped(text: bytes) -> bytes:
    """Bytes as they are written in a JSON string."""
    return json.dumps(text.decode("utf-8", "surrogateescape"), ensure_ascii=False)[1:-1].encode(
        "utf-8", "surrogateescape"
    )


@lru_cache(maxsize=4096)
def _meaning(escape: bytes) -> bytes:
    meant = json.loads(b'"' + escape + b'"', strict=False) if escape[1:2] in b'"\\/bfnrtu' else escape.decode("latin-1")
    return str(meant).encode("utf-8", "surrogatepass")


def _space_end(text: str, place: int) -> int:
    match = _SPACE.match(text, place)
    return place if match is None else match.end()


def _value_start(text: str, place: int) -> int:
    """`_space_end` where JSON goes on: most write no space there."""
    return _space_end(text, place) if text[place] in " \t\r\n" else place


def _end(text: str, place: int) -> int:
    end: int = _SCAN(text, place)[1]
    return end
