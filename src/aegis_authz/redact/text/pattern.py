"""RE2 expressions over bytes: linear in time whatever the text (https://github.com/google/re2).

No look-around: what must stand beside a match is consumed or looked at by the caller. An unbounded or counted tail
whose characters can spell its own head again is not linear either: search for heads, and extend them with an anchored
`re`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol, cast

import re2  # type: ignore[import-untyped]

_MEMORY = 32 << 20

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

    def possiblematchrange(self, maxlen: int) -> tuple[bytes, bytes]:
        """Texts of at most `maxlen` bytes between which every match begins."""
        ...

    def finditer(self, text: bytes) -> Iterator[Match]:
        """The matches one after the other, none overlapping another."""
        ...


def expression(text: str) -> Pattern:
    """Compile an expression (RE2 syntax; a character is a byte of UTF-8). Raises re2.error."""
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.max_mem = _MEMORY
    options.log_errors = False
    return cast(Pattern, re2.compile(text.encode(), options))


def first_bytes(text: str) -> range:
    """Bytes among which are all that a match of the expression can begin with."""
    first, last = expression(text).possiblematchrange(1)
    return range(first[0], last[0] + 1)


def touches_digit(text: bytes, start: int, end: int) -> bool:
    """Whether a digit touches the span."""
    return text[start - 1 : start].isdigit() or text[end : end + 1].isdigit()


def touches_word(text: bytes, start: int, end: int) -> bool:
    """Whether a digit or letter touches the span."""
    return text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()
