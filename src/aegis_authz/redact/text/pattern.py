"""RE2 expressions over bytes: linear in time whatever the text (https://github.com/google/re2).

No look-around: what must stand beside a match is consumed or looked at by the caller. An unbounded or counted tail
whose characters can spell its own head again is not linear either: search for heads, and extend them with an anchored
`re`.
"""

from __future__ import annotations

from collections.abc import Iterator

import re2  # type: ignore[import-untyped]

_MEMORY = 32 << 20
_NOWHERE = -1

Span = tuple[int, int]
"""Start and end of a match."""


class Pattern:
    """A compiled expression. It has no groups: what they match costs as much again as to find where."""

    def __init__(self, text: str) -> None:
        options = re2.Options()
        options.encoding = re2.Options.Encoding.LATIN1
        options.max_mem = _MEMORY
        options.never_capture = True
        options.log_errors = False
        # the matcher itself, past the match objects that the library makes: these double what a candidate costs
        self._matcher = re2.compile(text.encode(), options)._regexp
        self._anywhere = re2._Anchor.UNANCHORED

    def search(self, text: bytes, pos: int) -> Span | None:
        """Where the first match stands that starts at `pos` or later."""
        span: Span = self._matcher.Match(self._anywhere, text, pos, len(text))[0]
        return None if span[0] == _NOWHERE else span

    def spans(self, text: bytes) -> Iterator[Span]:
        """Where the matches stand one after the other, none overlapping another."""
        match, anywhere, length = self._matcher.Match, self._anywhere, len(text)
        pos = 0
        while pos <= length:
            span = match(anywhere, text, pos, length)[0]
            if span[0] == _NOWHERE:
                return
            yield span
            pos = span[1] if span[1] > pos else pos + 1

    def first_bytes(self) -> range:
        """Bytes among which are all that a match can begin with."""
        is_known, first, last = self._matcher.PossibleMatchRange(1)
        return range(first[0], last[0] + 1) if is_known else range(256)


def expression(text: str) -> Pattern:
    """Compile an expression (RE2 syntax; a character is a byte of UTF-8). Raises re2.error."""
    return Pattern(text)


def touches_digit(text: bytes, start: int, end: int) -> bool:
    """Whether a digit touches the span."""
    return text[start - 1 : start].isdigit() or text[end : end + 1].isdigit()


def touches_word(text: bytes, start: int, end: int) -> bool:
    """Whether a digit or letter touches the span."""
    return text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()
