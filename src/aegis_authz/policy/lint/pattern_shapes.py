"""What the shape of an RE2 pattern says of the texts it can match: none at all, or every one.

A pattern is read as far as it must be to be sure. Whatever is not understood counts as able to match.
"""

from __future__ import annotations

import re
from functools import lru_cache

import re2  # type: ignore[import-untyped]  # google-re2 ships no types

_MOST_GROUPS = 100
_EVERYTHING = re.compile(
    r"(?:\(\?s\)\.|\(\?s:\.\)|\.|\[\\s\\S\]|\[\\S\\s\]|\[\\d\\D\]|\[\\D\\d\]|\[\\w\\W\]|\[\\W\\w\]|\(\?:\.\|\\n\))(?:\*|\{0,\})\??\Z"
)
_FLAGS = re.compile(r"\(\?([a-zA-Z]*(?:-[a-zA-Z]+)?)(:|\))")
_GROUP_NAME = re.compile(r"\(\?P?<[A-Za-z0-9_]+>")
_REPEAT = re.compile(r"\{([0-9]+)(?:(,)([0-9]*))?\}")
_ESCAPE = re.compile(r"\\(?:[pP](?:\{[^}]*\}|.)|x(?:\{[0-9a-fA-F]+\}|[0-9a-fA-F]{2})|[0-7]{1,3}|.)", re.DOTALL)
_POSIX = re.compile(r"\[:\^?[a-z]+:\]")

_Way = tuple[bool, bool, bool]
"""How a part can match: only at the start of the text, only at its end, and whether it takes characters."""
_Ways = frozenset[_Way]

_NOTHING: _Ways = frozenset()
_EMPTY: _Ways = frozenset({(False, False, False)})
_START: _Ways = frozenset({(True, False, False)})
_END: _Ways = frozenset({(False, True, False)})
_CHARACTER: _Ways = frozenset({(False, False, True)})


class _Unclear(Exception):
    """A way of writing that is not understood here."""


@lru_cache(maxsize=1024)
def matches_nothing(pattern: str) -> bool:
    """Whether no text can match a valid pattern. False also where that is not certain."""
    try:
        return _PatternReader(pattern).ways() == _NOTHING
    except _Unclear:
        return False


def matches_everything(pattern: str) -> bool:
    """Whether a pattern is one of the ways to write "any text" (line breaks aside),
    anchors and groups around it left out.
    """
    bare = unanchored(pattern)
    while bare.startswith("(") and bare.endswith(")") and _is_one_group(bare):
        bare = unanchored(bare[3 if bare.startswith("(?:") else 1 : -1])
    return _EVERYTHING.match(bare) is not None


def unanchored(pattern: str) -> str:
    """The pattern without the anchors at its ends."""
    for start in ("^", "\\A"):
        pattern = pattern.removeprefix(start)
    if pattern.endswith("\\z") and not _escaped(pattern, len(pattern) - 2):
        return pattern[:-2]
    return pattern[:-1] if pattern.endswith("$") and not _escaped(pattern, len(pattern) - 1) else pattern


def _escaped(pattern: str, at: int) -> bool:
    before = pattern[:at]
    return (len(before) - len(before.rstrip("\\"))) % 2 == 1


def _is_one_group(pattern: str) -> bool:
    body = pattern[3:-1] if pattern.startswith("(?:") else pattern[1:-1]
    return not body.startswith("?") and "(" not in body and ")" not in body and "|" not in body


class _PatternReader:
    """Reads a pattern from left to right; each method reads one kind of part and returns the ways it can match."""

    def __init__(self, pattern: str) -> None:
        self._text = pattern
        self._next = 0
        self._depth = 0
        # With (?m) the anchors match at every line, of which nothing is known here.
        self._lines = any("m" in flags for flags, _ in _FLAGS.findall(pattern))

    def ways(self) -> _Ways:
        ways = self._either()
        if self._next < len(self._text):
            raise _Unclear
        return ways

    def _either(self) -> _Ways:
        ways = self._sequence()
        while self._take("|"):
            ways |= self._sequence()
        return ways

    def _sequence(self) -> _Ways:
        ways = _EMPTY
        while self._next < len(self._text) and self._text[self._next] not in "|)":
            ways = _after(ways, self._repeated())
        return ways

    def _repeated(self) -> _Ways:
        ways = self._part()
        while self._next < len(self._text):
            times = _REPEAT.match(self._text, self._next)
            if self._take("*"):
                ways = _EMPTY | _many(ways)
            elif self._take("+"):
                ways = _many(ways)
            elif self._take("?"):
                ways |= _EMPTY
            elif times is not None:
                self._next = times.end()
                most = int(times[1]) if times[2] is None else int(times[3] or 1)
                many = _many(ways) if most else _NOTHING
                ways = many if int(times[1]) else _EMPTY | many
            else:
                break
        return ways

    def _part(self) -> _Ways:
        first = self._text[self._next]
        if first == "(":
            return self._group()
        if first == "[":
            return self._characters()
        if first == "\\":
            return self._escape()
        self._next += 1
        if first in "^$":
            return _EMPTY if self._lines else _START if first == "^" else _END
        return _CHARACTER

    def _group(self) -> _Ways:
        flags, name = _FLAGS.match(self._text, self._next), _GROUP_NAME.match(self._text, self._next)
        self._depth += 1
        if self._depth > _MOST_GROUPS:
            raise _Unclear
        if flags is not None:
            self._next = flags.end()
            if flags[2] == ")":
                if self._text[self._next : self._next + 1] in tuple("*+?{"):
                    raise _Unclear  # which part is repeated?
                self._depth -= 1
                return _EMPTY
        elif name is not None:
            self._next = name.end()
        elif self._text.startswith("(?", self._next):
            raise _Unclear
        else:
            self._next += 1
        ways = self._either()
        if not self._take(")"):
            raise _Unclear
        self._depth -= 1
        return ways

    def _characters(self) -> _Ways:
        begin = self._next
        self._next += 1
        self._take("^")
        self._take("]")  # the first one is a character
        while not self._take("]"):
            posix = _POSIX.match(self._text, self._next)
            escape = _ESCAPE.match(self._text, self._next)
            if self._next >= len(self._text):
                raise _Unclear
            self._next = (posix or escape).end() if posix or escape else self._next + 1  # type: ignore[union-attr]
        return _CHARACTER if _holds_a_character(self._text[begin : self._next]) else _NOTHING

    def _escape(self) -> _Ways:
        match = _ESCAPE.match(self._text, self._next)
        if match is None or match[0] in ("\\E", "\\Z", "\\G"):
            raise _Unclear
        if match[0] == "\\Q":
            end = self._text.find("\\E", self._next)
            quoted = self._text[self._next + 2 : end] if end >= 0 else self._text[self._next + 2 :]
            self._next = end + 2 if end >= 0 else len(self._text)
            if not quoted:
                raise _Unclear
            return _CHARACTER
        self._next = match.end()
        return {"\\A": _START, "\\z": _END, "\\b": _EMPTY, "\\B": _EMPTY}.get(match[0], _CHARACTER)

    def _take(self, character: str) -> bool:
        is_next = self._text.startswith(character, self._next)
        self._next += is_next
        return is_next


def _after(first: _Ways, second: _Ways) -> _Ways:
    """The ways of one part and then another."""
    return frozenset(
        (start or later_start, end or later_end, takes or later_takes)
        for start, end, takes in first
        for later_start, later_end, later_takes in second
        if not (takes and later_start) and not (end and later_takes)
    )


def _many(once: _Ways) -> _Ways:
    """The ways of a part any number of times, at least once."""
    ways = once
    while True:
        more = ways | _after(ways, once)
        if more == ways:
            return ways
        ways = more


@lru_cache(maxsize=256)
def _holds_a_character(characters: str) -> bool:
    """Whether a class such as `[^a-z]` has any member, of all characters there are."""
    if not characters.startswith("[^") and "\\p" not in characters.lower():
        return True
    return re2.search(characters.encode("utf-8"), _every_character()) is not None


@lru_cache(maxsize=1)
def _every_character() -> bytes:
    text = "".join(map(chr, (*range(0xD800), *range(0xE000, 0x110000))))
    return text.encode("utf-8")
