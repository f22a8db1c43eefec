"""Detector of payment card numbers: a brand's prefix with that brand's length, and the check digit of Luhn.

Solid, in the groups that are printed on cards, and in pairs or single digits where that is the whole number.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from aegis_authz.redact.detectors.proofs import NO_DIGITS, has_luhn, is_longer
from aegis_authz.redact.text.pattern import Span, expression, touches_word
from aegis_authz.redact.text.searched import Search, Searched

_GAP = r"[ \t\r\n./_-]{1,4}"
_SOLID = expression(r"(?:^\.?|[^0-9A-Za-z.]|[^0-9]\.)[2-6][0-9]{12,18}")
_GROUPS = expression(rf"(?:^|[^0-9A-Za-z])[2-6][0-9]{{3}}{_GAP}[0-9]{{4,6}}{_GAP}[0-9]{{4}}[0-9 \t\r\n./_-]*")
"""Groups of digits, all that follow each other in one match."""

_CARD = re.compile(
    rb"[2-6](?<![0-9A-Za-z][2-6])(?=([0-9]{3}([ \t\r\n./_-]{1,4})"
    rb"(?:[0-9]{4}\2[0-9]{4}\2[0-9]{4}(?:\2[0-9]{3}(?![0-9]))?|[0-9]{6}\2[0-9]{4,5})(?![0-9A-Za-z])))"
)
"""One card among groups; the first digit first, by which `re` steps over all else at once."""

_SPREAD = expression(r"(?:^|[^0-9A-Za-z])[2-6](?:[ -][0-9]){12,18}|(?:^|[^0-9A-Za-z])[2-6][0-9](?:[ -][0-9]{2}){6,8}")
_BRANDS = re.compile(
    rb"4[0-9]{12}(?:[0-9]{3}){0,2}|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}"
    rb"|3[47][0-9]{13}|3(?:0[0-5]|[689][0-9])[0-9]{11}|35(?:2[89]|[3-8][0-9])[0-9]{12,15}"
    rb"|6(?:011|4[4-9][0-9]|5[0-9]{2})[0-9]{12,15}|62[0-9]{14,17}"
    rb"|(?:5018|5020|5038|5893|6304|6759|676[1-3])[0-9]{8,15}"
)
"""Visa, Mastercard, Amex, Diners, JCB, Discover, UnionPay, Maestro: prefix and length (ISO/IEC 7812)."""
_MORE_GROUPS = re.compile(rb"(?:[ \t./_-]{1,2}[0-9]{4}(?![0-9])){1,8}")
_ROW_BEFORE = re.compile(rb"(?:^|[^0-9])[0-9]{4}[ \t./_-]{1,2}\Z")


def _solid(text: Searched) -> Iterator[Span]:
    data = text.data
    for start, end in _SOLID.spans(data):
        start = end - len(data[start:end].lstrip(NO_DIGITS))
        text.tick()
        if not data[end : end + 1].isalnum() and is_card(data[start:end]) and not _is_decimal(data, start, end):
            yield start, end


def _grouped(text: Searched) -> Iterator[Span]:
    data = text.data
    last = 0
    for begin, stop in _GROUPS.spans(data):
        for match in _CARD.finditer(data, begin, stop + 1):
            start, end = match.start(), match.end(1)
            text.tick()
            if start < last or not is_card(data[start:end].translate(None, NO_DIGITS)):
                continue
            if not _in_row(data, start, end, last):
                last = end
                yield start, end


def _spread(text: Searched) -> Iterator[Span]:
    data = text.data
    for start, end in _SPREAD.spans(data):
        start += not data[start : start + 1].isdigit()
        text.tick()
        is_whole = not touches_word(data, start, end) and not is_longer(data, start, end, b" -")
        if is_whole and is_card(data[start:end].translate(None, NO_DIGITS)):
            yield start, end


def _in_row(data: bytes, start: int, end: int, last: int) -> bool:
    """Whether the groups are a part of more groups of four, which are not all cards."""
    before = _ROW_BEFORE.search(data[max(last, start - 8) : start]) if start > last else None
    after = _MORE_GROUPS.match(data, end)
    groups = 0 if after is None else sum(1 for _ in re.finditer(rb"[0-9]{4}", after[0]))
    return before is not None or groups % 4 != 0


def is_card(digits: bytes) -> bool:
    """Whether digits are a card number: brand, length, Luhn, and not one digit only."""
    return _BRANDS.fullmatch(digits) is not None and has_luhn(digits) and digits.count(digits[:1]) < len(digits)


def _is_decimal(data: bytes, start: int, end: int) -> bool:
    before, after = data[max(0, start - 2) : start], data[end : end + 2]
    return (before[1:] in (b".", b",") and before[:1].isdigit()) or (after[:1] == b"." and after[1:].isdigit())


CREDIT_CARD = (
    # any digits: with a class of their own for the first, each subset of open counts is a state
    Search(_solid, (r"[0-9]{13}",), b"4111111111111111", is_apart=True),
    Search(_grouped, (rf"[0-9]{{4}}{_GAP}[0-9]{{4,6}}{_GAP}[0-9]{{4}}",), b"4111 1111 1111 1111", is_apart=True),
    Search(
        _spread,
        (r"[0-9](?:[ -][0-9]){12}", r"[0-9]{2}(?:[ -][0-9]{2}){6}"),
        b"4 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
        is_apart=True,
    ),
)
