"""What a detector is given to search, and what a word before a value says of it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain

from aegis_authz.redact.text.pattern import Pattern, Span

_NEXT_MEMBER = re.compile(
    rb""",\s*[{\[]?\s*\\*"(?!(?:value|text|answer|content|display|formatted|raw|iso|year|month|day)\\*")"""
    rb"""[^"]{0,80}"\s*:""",
    re.IGNORECASE,
)
"""Where the next member of a JSON object begins: a word before it says nothing of what is behind it.

But for members that are about their neighbour, as in {"label": "Date of birth", "value": ...}.
"""
_NAME_END = re.compile(rb"[^A-Za-z0-9_.-]")
"""What ends the name of a detector: in "Name REDACTED: born ..." is a word of the text, and no marker."""
MARKED = b"REDACTED:"
MARKER_LENGTH = 24


@dataclass(frozen=True, slots=True)
class Searched:
    """One view of a text. `tick` is called now and then and raises Refused when there is no time left.

    With `is_loose` forms count that mean a value in most texts and something else in some. With `looks_behind` a word
    behind a value counts as well as one before it, which a stream cannot wait for.
    """

    data: bytes
    is_loose: bool
    looks_behind: bool
    tick: Callable[[], None]


@dataclass(frozen=True, slots=True)
class Search:
    """`find` yields spans in a view of a text; it finds nothing where none of `heads` matches, and need not look.

    `example` is a text in which it finds something, or empty. `is_local` says that it finds in a text, whatever stands
    before and behind it, what it finds in that text alone; `is_apart` that it finds no more, for no word
    elsewhere counts.
    """

    find: Callable[[Searched], Iterator[Span]]
    heads: tuple[str, ...]
    example: bytes
    is_local: bool = True
    is_apart: bool = False


def word_spans(text: bytes, words: Pattern) -> list[Span]:
    """Where words of a pattern stand, those in our own markers left out."""
    spans = list(words.spans(text))
    if MARKED not in text:
        return spans
    return [span for span in spans if not _is_in_marker(text, span[0])]


def _is_in_marker(text: bytes, place: int) -> bool:
    marked = text.rfind(MARKED, max(0, place - MARKER_LENGTH), place + len(MARKED))
    return marked >= 0 and _NAME_END.search(text, marked + len(MARKED), place + 1) is None


def windows_after(text: bytes, words: list[Span], reach: int, length: int) -> Iterator[tuple[int, bytes]]:
    """For each word its place and the text from it on in which values may begin up to `reach` bytes behind it.

    Values are at most `length` bytes; a window ends where the next JSON member begins, and no value in it begins behind
    the next word, whose own it is: however close the words stand, nothing is looked at more often than a few times.
    """
    followings = chain((start for start, _ in words[1:]), (len(text),))
    for (start, end), following in zip(words, followings, strict=False):  # without words none
        stop = min(end + reach, following) + length
        window = text[start:stop]
        if text[stop : stop + 1].isdigit():  # a number that is cut is another number
            window = window.rstrip(b"0123456789")
        boundary = _NEXT_MEMBER.search(window, end - start)
        yield start, window if boundary is None else window[: boundary.start()]


def is_apart(between: bytes) -> bool:
    """Whether a value and a word with this between them belong to two members."""
    return b'"' in between and _NEXT_MEMBER.search(between) is not None
