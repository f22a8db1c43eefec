"""RE2 expressions: linear in time whatever the text (https://github.com/google/re2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Protocol, cast

import re2  # type: ignore[import-untyped]

_DIGIT = re.compile(rb"[0-9]")

Span = tuple[int, int]
"""Start and end of a match."""


class Match(Protocol):
    """One match of an expression in bytes."""

    def span(self, group: int = 0) -> Span:
        """Start and end of a group; (-1, -1) for one that took no part."""
        ...

    def group(self, group: int = 0) -> bytes | None:
        """What a group matched."""
        ...


class Pattern(Protocol):
    """A compiled expression."""

    def search(self, text: bytes, pos: int) -> Match | None:
        """The first match that starts at `pos` or later."""
        ...


def expression(text: str) -> Pattern:
    """Compile an expression (RE2 syntax: no look-around, no back-references). Raises re2.error."""
    return cast(Pattern, re2.compile(text))


def overlapping(pattern: Pattern, text: bytes) -> Iterator[Match]:
    """Every match that starts at another place: one that a validator rejects hides no other."""
    match = pattern.search(text, 0)
    while match is not None:
        yield match
        match = pattern.search(text, match.span()[0] + 1)


def successive(pattern: Pattern, text: bytes) -> Iterator[Match]:
    """The matches one after the other; for expressions without a validator."""
    match = pattern.search(text, 0)
    while match is not None:
        yield match
        match = pattern.search(text, match.span()[1])


def has_digits(text: bytes, least: int) -> bool:
    """Whether a text can hold that many digits at all: cheap, and false for most texts."""
    return len(text) >= least and _DIGIT.search(text) is not None


def stands_alone(text: bytes, start: int, end: int) -> bool:
    """Whether no digit touches the span."""
    return not (text[start - 1 : start] if start else b"").isdigit() and not text[end : end + 1].isdigit()


def is_word(text: bytes, start: int, end: int) -> bool:
    """Whether neither digit nor letter touches the span."""
    return not (text[start - 1 : start] if start else b"").isalnum() and not text[end : end + 1].isalnum()
