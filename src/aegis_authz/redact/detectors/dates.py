"""Detector of dates of birth.

A date says nothing by itself, so its surroundings decide: a date at most NEAR bytes behind a word for birth (or before
it), and any number right behind a key such as `dob`.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from calendar import isleap
from collections.abc import Iterator

from aegis_authz.redact.text.pattern import Span, expression
from aegis_authz.redact.text.searched import Search, Searched, is_apart, word_spans

NEAR = 64
"""How far, in bytes, a word for birth reaches."""

_DATE_LENGTH = 40
_YEARS = range(1850, 2101)
_GAP = r"(?: {0,2}[-/._] {0,2}|[ \t\r\n]{1,3})"
_MONTH = r"(?i:(j(?:an|u[nl])|feb|ma[ry]|a(?:pr|ug)|sep|oct|nov|dec)[a-z]{0,6})"
_LOOSE = r"[ \t\r\n,.'/-]{0,4}"
_MONTHS = (b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec")
_MONTH_DAYS = {
    spelling: days
    for number, days in enumerate((31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31), 1)
    for spelling in {_MONTHS[number - 1], b"%d" % number, b"%02d" % number}
}
_BIRTH_WORD_FORM = (
    r"(?i:birth|naissance|nacimiento|nascimento|geburt|geboren|nascita"
    r"|(?:^|[^a-z])(?:born|d\.? ?o\.? ?b|bday|geb\.)(?:[^a-z]|$))"
    r"|[a-z]D[oO][bB](?:[^a-z]|$)"
)
BIRTH_WORD = expression(_BIRTH_WORD_FORM)
_BARE = re.compile(
    rb"(?i:dob|date|day|dt|year|born|birth|on|naissance|nacimiento)"
    rb"""[ \\"']{0,4}[:=][ \\"']{0,4}([+-]?[0-9]{4,13}(?:\.[0-9]{1,6})?)(?![0-9A-Za-z./-])"""
)
_FORMS = (
    (rf"(\d{{4}}){_GAP}(\d{{1,2}}){_GAP}(\d{{1,2}})", ((0, 1, 2), (0, 2, 1))),
    (rf"(\d{{1,2}}){_GAP}(\d{{1,2}}){_GAP}(\d{{4}}|\d{{2}})", ((2, 0, 1), (2, 1, 0))),
    (r"(\d{4})(\d{2})(\d{2})", ((0, 1, 2),)),
    (rf"(\d{{1,2}})(?i:st|nd|rd|th)?{_LOOSE}(?:of )?{_MONTH}{_LOOSE}(\d{{4}}|\d{{2}})", ((2, 1, 0),)),
    (rf"(\d{{4}}){_LOOSE}{_MONTH}{_LOOSE}(\d{{1,2}})", ((0, 1, 2),)),
    (rf"{_MONTH}{_LOOSE}(\d{{1,2}})(?i:st|nd|rd|th)?{_LOOSE}(\d{{4}}|\d{{2}})", ((2, 0, 1),)),
)
"""Each form with the groups that hold year, month and day, in every order it may be read; the last begins by letter."""

_BY_DIGIT = "|".join(rf"({form})(?![0-9])" for form, _ in _FORMS[:-1])
_DATE = re.compile(
    rf"(?<![0-9])(?:(?=[0-9])(?={_BY_DIGIT})|(?=[adfjmnosADFJMNOS])(?=({_FORMS[-1][0]})(?![0-9])))".encode("ascii")
)
"""A date in any form, as a place without length, so that no date hides another."""

_GROUPS = 4
"""Of each form: all of it, and its three parts."""


def _date_of_birth(text: Searched) -> Iterator[Span]:
    """Dates of birth: ISO, US and European forms, months in digits or English, years 1850 to 2100."""
    data = text.data
    words = word_spans(data, BIRTH_WORD)
    for start, end in _reach(words, len(data), NEAR + _DATE_LENGTH if text.looks_behind else 0):
        text.tick()
        for span in _dates(data, start, end, text):
            if _is_near(data, span, words, text.looks_behind):
                yield span
        for bare in _BARE.finditer(data, start, end):
            text.tick()
            if _is_near(data, bare.span(1), words, False):
                yield bare.span(1)


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


def _dates(data: bytes, begin: int, stop: int, text: Searched) -> Iterator[Span]:
    for match in _DATE.finditer(data, begin, stop):
        text.tick()
        form = match.lastindex or 0  # the group of all of a form is the last to be closed
        numbers = match.group(form + 1, form + 2, form + 3)
        for year, month, day in _FORMS[form // _GROUPS][1]:
            if _is_date(numbers[year], numbers[month], numbers[day]):
                yield match.span(form)
                break


def _is_date(year: bytes, month: bytes, day: bytes) -> bool:
    number = int(year)
    if len(year) == 4 and number not in _YEARS:
        return False
    length = _MONTH_DAYS.get(month.lower(), 0)
    if length == 29 and len(year) == 4 and not isleap(number):  # two digits may mean any century; 2000 is a leap year
        length = 28
    return 0 < int(day) <= length


DATE_OF_BIRTH = (Search(_date_of_birth, (_BIRTH_WORD_FORM,), b"born 1980-02-29"),)
