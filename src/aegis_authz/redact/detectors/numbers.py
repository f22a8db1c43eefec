"""Detectors of numbers that carry their own proof: social security, cards, accounts."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aegis_authz.redact.detectors.iban_forms import IBAN_FORMS
from aegis_authz.redact.text.pattern import Span, expression, touches_digit, touches_word
from aegis_authz.redact.text.searched import Searched, windows_after, word_spans

NEAR = 40
"""How many bytes behind a word for it a social security number may begin."""

_GAP = r"[ \t\r\n./_-]{1,4}"
_SSN_DASHED = expression(r"[0-9]{3} ?-[ \t\r\n]{0,4}[0-9]{2} ?-[ \t\r\n]{0,4}[0-9]{4}")
_SSN_SPACED = expression(rf"[0-9]{{3}}{_GAP}[0-9]{{2}}{_GAP}[0-9]{{4}}")
_SSN_ANY = re.compile(rb"([0-9]{3})([ \t\r\n./_-]{0,5})([0-9]{2})([ \t\r\n./_-]{0,5})([0-9]{4})(?![0-9])")
_SSN_WORD_FORM = (
    r"(?i:social[ _.-]{0,2}sec|soc[ _.-]{1,2}sec|tax[ _-]?(?:payer)?[ _-]?id)"
    r"|(?:^|[^A-Za-z])(?i:ssn|ssan|itin|tin)(?i:s|no|nr|num|number)?(?:[^A-Za-z]|$)"
    r"|[a-z](?:SSN|Ssn)(?:No|Nr|Num|Number)?(?:[^a-z]|$)"
)
_SSN_WORD = expression(_SSN_WORD_FORM)
SSN_HEADS = (
    r"[0-9] ?-[ \t\r\n]{0,4}[0-9]{2} ?-[ \t\r\n]{0,4}[0-9]{4}",
    rf"[0-9]{_GAP}[0-9]{{2}}{_GAP}[0-9]{{4}}",
    _SSN_WORD_FORM,
)
_SSN_SHORT = re.compile(rb"""(?i:ssn|number|no|security)["' ]{0,3}[:=][ "']{0,3}([0-9]{7,8})(?![0-9])""")
_SSN_LENGTH = 24
_WORD_REST = 24
"""What may follow of the word itself, as in "social security number"."""

_CARD_SOLID = expression(r"(?:^|[^0-9A-Za-z])[2-6][0-9]{12,18}(?:[^0-9A-Za-z]|$)")
_CARD_GROUPED = expression(rf"(?:^|[^0-9A-Za-z])[2-6][0-9]{{3}}{_GAP}[0-9]{{4,6}}{_GAP}[0-9]{{4,5}}")
_CARD_SPREAD = expression(
    r"(?:^|[^0-9A-Za-z])[2-6](?:[ -][0-9]){12,18}|(?:^|[^0-9A-Za-z])[2-6][0-9](?:[ -][0-9]{2}){6,8}"
)
CARD_HEADS = (
    r"[0-9]{13}",  # any digits: with a class of their own for the first, each subset of open counts is a state
    rf"[0-9]{{4}}{_GAP}[0-9]{{4}}",
    r"[0-9](?:[ -][0-9]){6}",
    r"[0-9](?:[ -][0-9]{2}){5}",
)
_CARD_FORM = re.compile(
    rb"[0-9]{4}([ \t\r\n./_-]{1,4})(?:[0-9]{4}\1[0-9]{4}\1[0-9]{4}(?:\1[0-9]{3}(?![0-9]))?|[0-9]{6}\1[0-9]{4,5})"
    rb"(?![0-9A-Za-z])"
)
_BRANDS = re.compile(
    rb"4[0-9]{12}(?:[0-9]{3}){0,2}|5[1-5][0-9]{14}|2(?:22[1-9]|2[3-9][0-9]|[3-6][0-9]{2}|7[01][0-9]|720)[0-9]{12}"
    rb"|3[47][0-9]{13}|3(?:0[0-5]|[689][0-9])[0-9]{11}|35(?:2[89]|[3-8][0-9])[0-9]{12,15}"
    rb"|6(?:011|4[4-9][0-9]|5[0-9]{2})[0-9]{12,15}|62[0-9]{14,17}"
    rb"|(?:5018|5020|5038|5893|6304|6759|676[1-3])[0-9]{8,15}"
)
"""Visa, Mastercard, Amex, Diners, JCB, Discover, UnionPay, Maestro: prefix and length (ISO/IEC 7812)."""
_MORE_GROUPS = re.compile(rb"(?:[ \t./_-]{1,2}[0-9]{4}(?![0-9])){1,8}")
_ROW_BEFORE = re.compile(rb"(?:^|[^0-9])[0-9]{4}[ \t./_-]{1,2}\Z")
_DOUBLED = bytes(
    48 + (2 * (byte - 48)) % 10 + (2 * (byte - 48)) // 10 if 48 <= byte <= 57 else 48 for byte in range(256)
)
NO_DIGITS = bytes(byte for byte in range(256) if not 48 <= byte <= 57)
_IBAN_START = rf"(?:^|[^0-9A-Za-z])(?i:{'|'.join(IBAN_FORMS)})[ .-]?[0-9]{{2}}[ \t\r\n./_-]{{0,4}}[0-9A-Za-z]{{2}}"
_IBAN_HEAD = expression(_IBAN_START)
IBAN_HEADS = (_IBAN_START,)
_IBAN_HEAD_LENGTH = 2


def us_ssn(text: Searched) -> Iterator[Span]:
    """US social security numbers in their issued ranges (SSA, RM 10201.030).

    With dashes anywhere; bare, or with other separators, at most NEAR bytes behind a word that says so; with other
    separators also anywhere when `is_loose`. Under a key that says so seven or eight digits too, which are numbers that
    lost their leading zeros.
    """
    data = text.data
    for match in _SSN_DASHED.finditer(data):
        start, end = match.span()
        if is_issued(data[start:end]) and not _is_longer(data, start, end, b"-"):
            yield start, end
    if text.is_loose:
        text.tick()
        yield from _spaced(data)
    for place, window in windows_after(data, word_spans(data, _SSN_WORD), NEAR + _WORD_REST, _SSN_LENGTH):
        text.tick()
        for found in _SSN_ANY.finditer(window):
            before = window[max(0, found.start() - 1) : found.start()]
            if not before.isdigit() and _alike(found[2], found[4]) and is_issued(found[0]):
                yield place + found.start(), place + found.end()
        short = _SSN_SHORT.search(window)
        if short is not None and is_issued(short[1].rjust(9, b"0")):
            yield place + short.start(1), place + short.end(1)


def _spaced(data: bytes) -> Iterator[Span]:
    for match in _SSN_SPACED.finditer(data):
        start, end = match.span()
        gap = data[start + 3 : start + 4]
        parts = _SSN_ANY.match(data, start)
        if parts is None or not _alike(parts[2], parts[4]) or not is_issued(data[start:end]):
            continue
        if not touches_word(data, start, end) and not _is_longer(data, start, end, gap):
            yield start, end


def credit_card(text: Searched) -> Iterator[Span]:
    """Payment card numbers: a brand's prefix with that brand's length, and the check digit of Luhn.

    Solid, in the groups that are printed on cards, and in pairs or single digits where that is the whole number.
    """
    data = text.data
    pos = 0
    while (match := _CARD_SOLID.search(data, pos)) is not None:
        start, end = match.span()
        start += not data[start : start + 1].isdigit()
        end -= not data[end - 1 : end].isdigit()
        pos = end
        text.tick()
        if is_card(data[start:end]) and not _is_decimal(data, start, end):
            yield start, end
    yield from _grouped(text)
    for match in _CARD_SPREAD.finditer(data):
        start, end = match.span()
        start += not data[start : start + 1].isdigit()
        is_whole = not touches_word(data, start, end) and not _is_longer(data, start, end, b" -")
        if is_whole and is_card(data[start:end].translate(None, NO_DIGITS)):
            yield start, end


def _grouped(text: Searched) -> Iterator[Span]:
    data = text.data
    pos = last = 0
    while (match := _CARD_GROUPED.search(data, pos)) is not None:
        start = match.span()[0]
        start += not data[start : start + 1].isdigit()
        pos = start + 4  # a refused candidate may hide one that begins at its next group
        text.tick()
        found = _CARD_FORM.match(data, start)
        if found is None or not is_card(found[0].translate(None, NO_DIGITS)):
            continue
        if not _in_row(data, start, found.end(), last):
            last = pos = found.end()
            yield start, found.end()


def _in_row(data: bytes, start: int, end: int, last: int) -> bool:
    """Whether the groups are a part of more groups of four, which are not all cards."""
    before = _ROW_BEFORE.search(data[max(last, start - 8) : start]) if start > last else None
    after = _MORE_GROUPS.match(data, end)
    groups = 0 if after is None else sum(1 for _ in re.finditer(rb"[0-9]{4}", after[0]))
    return before is not None or groups % 4 != 0


def is_card(digits: bytes) -> bool:
    """Whether digits are a card number: brand, length, Luhn, and not one digit only."""
    return _BRANDS.fullmatch(digits) is not None and has_luhn(digits) and digits.count(digits[:1]) < len(digits)


def has_luhn(digits: bytes) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = sum(digits[-1::-2]) + sum(digits[-2::-2].translate(_DOUBLED))
    return (total - 48 * len(digits)) % 10 == 0


def iban(text: Searched) -> Iterator[Span]:
    """International bank account numbers (ISO 13616): a country's length and form, and 1 modulo 97."""
    data = text.data
    pos = 0
    while (match := _IBAN_HEAD.search(data, pos)) is not None:
        start = match.span()[0]
        start += not data[start : start + 1].isalpha()
        pos = start + _IBAN_HEAD_LENGTH
        text.tick()
        found = IBAN_FORMS[data[start : start + 2].decode("ascii").upper()].match(data, start)
        if found is not None and has_mod_97(found[0]):
            pos = found.end()
            yield start, found.end()


def has_mod_97(text: bytes) -> bool:
    """Whether letters and digits leave 1 modulo 97 as in an IBAN (ISO 7064)."""
    plain = "".join(chr(byte) for byte in text if chr(byte).isalnum()).upper()
    moved = plain[4:] + plain[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1


def is_issued(text: bytes) -> bool:
    """Whether the digits in a text are a social security number of an issued range (SSA, RM 10201.030)."""
    digits = text.translate(None, NO_DIGITS)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return (
        len(digits) == 9 and area not in (b"000", b"666") and area[:1] != b"9" and group != b"00" and serial != b"0000"
    )


def _alike(first: bytes, second: bytes) -> bool:
    return _separator(first) == _separator(second)


def _separator(gap: bytes) -> bytes:
    """What a separator is, white space around a sign left out."""
    return gap.strip() or gap[:1].replace(b"\t", b" ").replace(b"\r", b" ").replace(b"\n", b" ")


def _is_longer(data: bytes, start: int, end: int, gap: bytes) -> bool:
    """Whether the number goes on, before or behind, directly or after a separator."""
    if touches_digit(data, start, end):
        return True
    before, after = data[max(0, start - 2) : start], data[end : end + 2]
    return (before[-1:] in gap and before[:1].isdigit() and len(before) == 2) or (
        after[:1] in gap and after[1:].isdigit() and len(after) == 2
    )


def _is_decimal(data: bytes, start: int, end: int) -> bool:
    before, after = data[max(0, start - 2) : start], data[end : end + 2]
    return (before[1:] in (b".", b",") and before[:1].isdigit()) or (after[:1] == b"." and after[1:].isdigit())
