"""Detector of dates of birth.

A date says nothing by itself, so its surroundings decide: any date, and any number, under a key such as
`dob`; in free text a date with a word for birth at most 64 characters before or behind it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from datetime import date

from aegis_authz.redact.text.pattern import Span, expression, has_digits, overlapping, stands_alone, successive
from aegis_authz.redact.text.topics import Topic, Topics

NEAR = 64
"""How far, in characters, a word for birth reaches."""

_WORD_LENGTH = 6
_YEARS = range(1850, 2101)
_GAP = r"(?: {0,2}[-/.] {0,2}| {1,2})"
_MONTH = r"(?i:(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6})"
_LOOSE = r"[ ,.'/-]{0,4}"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_BIRTH_WORD = expression(r"(?i:birth|(?:^|[^a-z])(?:born|d\.? ?o\.? ?b)(?:[^a-z]|$))|[a-z]D[oO][bB](?:[^a-z]|$)")
_BARE = expression(r"\A\s*[+-]?\d+(?:\.\d+)?\s*\z")
_YEAR_FIRST = expression(rf"(\d{{4}}){_GAP}(\d{{1,2}}){_GAP}(\d{{1,2}})")
_YEAR_LAST = expression(rf"(\d{{1,2}}){_GAP}(\d{{1,2}}){_GAP}(\d{{4}}|\d{{2}})")
_COMPACT = expression(r"(\d{4})(\d{2})(\d{2})")
_DAY_MONTH_YEAR = expression(rf"(\d{{1,2}})(?i:st|nd|rd|th)?{_LOOSE}(?:of )?{_MONTH}{_LOOSE}(\d{{4}}|\d{{2}})")
_MONTH_DAY_YEAR = expression(rf"{_MONTH}{_LOOSE}(\d{{1,2}})(?i:st|nd|rd|th)?{_LOOSE}(\d{{4}}|\d{{2}})")
_YEAR_MONTH_DAY = expression(rf"(\d{{4}}){_LOOSE}{_MONTH}{_LOOSE}(\d{{1,2}})")
_ORDERS = (
    (_YEAR_FIRST, ((0, 1, 2), (0, 2, 1))),
    (_YEAR_LAST, ((2, 0, 1), (2, 1, 0))),
    (_COMPACT, ((0, 1, 2),)),
    (_DAY_MONTH_YEAR, ((2, 1, 0),)),
    (_MONTH_DAY_YEAR, ((2, 0, 1),)),
    (_YEAR_MONTH_DAY, ((0, 1, 2),)),
)
"""Each form with the groups that hold year, month and day, in every order it may be read."""


def date_of_birth(text: bytes, topics: Topics) -> Iterator[Span]:
    """Dates of birth: ISO, US and European forms, months in digits or English, years 1850 to 2100."""
    if not has_digits(text, 1):
        return
    if Topic.BIRTH in topics:
        bare = _BARE.search(text, 0)
        if bare is not None:
            yield bare.span()
        yield from _dates(text)
        return
    words = [match.span()[0] for match in successive(_BIRTH_WORD, text)]
    if words:
        yield from (span for span in _dates(text) if _near(span, words))


def _near(span: Span, words: list[int]) -> bool:
    start, end = span
    following = bisect_left(words, start - NEAR - _WORD_LENGTH)
    return following < len(words) and words[following] <= end + NEAR


def _dates(text: bytes) -> Iterator[Span]:
    for pattern, orders in _ORDERS:
        for match in overlapping(pattern, text):
            parts = [match.group(number) or b"" for number in (1, 2, 3)]
            if stands_alone(text, *match.span()) and any(_is_date(*(parts[i] for i in order)) for order in orders):
                yield match.span()


def _is_date(year: bytes, month: bytes, day: bytes) -> bool:
    # two digits may mean any century; 2000 has a 29 February
    number = int(year) if len(year) == 4 else 2000
    months = month.decode("ascii").lower()
    try:
        date(number, _MONTHS.index(months) + 1 if months in _MONTHS else int(months), int(day))
    except ValueError:
        return False
    return number in _YEARS
