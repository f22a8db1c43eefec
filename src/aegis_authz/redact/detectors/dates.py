"""Detector of dates of birth.

A date says nothing by itself, so its surroundings decide: a date at most NEAR bytes behind a word for birth (or before
it), and any number right behind a key such as `dob`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator
from datetime import date

from aegis_authz.redact.text.pattern import Span, expression, touches_digit
from aegis_authz.redact.text.searched import Searched, is_apart, word_spans

NEAR = 64
"""How far, in bytes, a word for birth reaches."""

_DATE_LENGTH = 40
_YEARS = range(1850, 2101)
_GAP = r"(?: {0,2}[-/._] {0,2}|[ \t\r\n]{1,3})"
_MONTH = r"(?i:(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6})"
_LOOSE = r"[ \t\r\n,.'/-]{0,4}"
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_BIRTH_WORD_FORM = (
    r"(?i:birth|naissance|nacimiento|nascimento|geburt|geboren|nascita"
    r"|(?:^|[^a-z])(?:born|d\.? ?o\.? ?b|bday|geb\.)(?:[^a-z]|$))"
    r"|[a-z]D[oO][bB](?:[^a-z]|$)"
)
BIRTH_WORD = expression(_BIRTH_WORD_FORM)
BIRTH_HEADS = (_BIRTH_WORD_FORM,)
_BARE = re.compile(
    rb"(?i:dob|date|day|dt|year|born|birth|on|naissance|nacimiento)"
    rb"""[ \\"']{0,4}[:=][ \\"']{0,4}([+-]?[0-9]{4,13}(?:\.[0-9]{1,6})?)(?![0-9A-Za-z./-])"""
)
_FORMS = tuple(
    (re.compile(form.encode("ascii")), orders)
    for form, orders in (
        (rf"(\d{{4}}){_GAP}(\d{{1,2}}){_GAP}(\d{{1,2}})", ((0, 1, 2), (0, 2, 1))),
        (rf"(\d{{1,2}}){_GAP}(\d{{1,2}}){_GAP}(\d{{4}}|\d{{2}})", ((2, 0, 1), (2, 1, 0))),
        (r"(\d{4})(\d{2})(\d{2})", ((0, 1, 2),)),
        (rf"(\d{{1,2}})(?i:st|nd|rd|th)?{_LOOSE}(?:of )?{_MONTH}{_LOOSE}(\d{{4}}|\d{{2}})", ((2, 1, 0),)),
        (rf"{_MONTH}{_LOOSE}(\d{{1,2}})(?i:st|nd|rd|th)?{_LOOSE}(\d{{4}}|\d{{2}})", ((2, 0, 1),)),
        (rf"(\d{{4}}){_LOOSE}{_MONTH}{_LOOSE}(\d{{1,2}})", ((0, 1, 2),)),
    )
)
"""Each form with the groups that hold year, month and day, in every order it may be read."""


def date_of_birth(text: Searched) -> Iterator[Span]:
    """Dates of birth: ISO, US and European forms, months in digits or English, years 1850 to 2100."""
    data = text.data
    words = word_spans(data, BIRTH_WORD)
    for start, end in _reach(words, len(data), NEAR + _DATE_LENGTH if text.looks_behind else 0):
        text.tick()
        part = data[start:end]
        for span in _dates(part, text):
            if _is_near(data, (start + span[0], start + span[1]), words, text.looks_behind):
                yield start + span[0], start + span[1]
        for bare in _BARE.finditer(part):
            if _is_near(data, (start + bare.start(1), start + bare.end(1)), words, False):
                yield start + bare.start(1), start + bare.end(1)


def _reach(words: list[Span], length: int, before: int) -> Iterator[Span]:
    """The parts of a text within reach of any word, joined where they meet."""
    begin = stop = -1
    for start, end in words:
        if stop >= 0 and start - before <= stop:
            stop = end + NEAR + _DATE_LENGTH
            continue
        if stop >= 0:
            yield begin, min(stop, length)
        begin, stop = max(0, start - before), end + NEAR + _DATE_LENGTH
    if stop >= 0:
        yield begin, min(stop, length)


def _is_near(data: bytes, span: Span, words: list[Span], looks_behind: bool) -> bool:
    start, end = span
    place = bisect_left(words, (start, start))
    if place and start - words[place - 1][1] <= NEAR and not is_apart(data[words[place - 1][1] - 1 : start]):
        return True
    if not looks_behind or place == len(words) or words[place][0] - end > NEAR:
        return False
    return b'"' not in data[end : words[place][0]]


def _dates(text: bytes, searched: Searched) -> Iterator[Span]:
    for form, orders in _FORMS:
        position = 0
        while (match := form.search(text, position)) is not None:
            position = match.start() + 1
            searched.tick()
            parts = match.groups()
            if not touches_digit(text, *match.span()) and any(_is_date(*(parts[i] for i in order)) for order in orders):
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
