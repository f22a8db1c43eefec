"""Detectors of numbers that carry their own proof: social security, cards, accounts, telephones."""

from __future__ import annotations

from collections.abc import Iterator

from aegis_authz.redact.text.pattern import Span, expression, has_digits, is_word, overlapping, stands_alone
from aegis_authz.redact.text.topics import Topic, Topics

_SSN_DASHED = expression(r"\d{3} {0,2}- {0,2}\d{2} {0,2}- {0,2}\d{4}")
_SSN_LOOSE = expression(r"\d{3}[ ./_-]{0,2}\d{2}[ ./_-]{0,2}\d{4}")
_SSN_SHORT = expression(r"\A\s*\d{7,8}\s*\z")
_CARD = expression(r"\d(?:[ -]?\d){12,18}")
_IBAN = expression(r"[A-Za-z]{2}[ -]?\d{2}(?:[ -]?[0-9A-Za-z]){11,30}")
_PHONE_ABROAD = expression(r"(?:\+|00) ?[1-9](?:[ .()/-]{0,3}\d){6,14}")
_PHONE_NORTH_AMERICA = expression(r"(?:1[ .-]?)?(?:\([2-9]\d{2}\) {0,2}|[2-9]\d{2}[ .-])[2-9]\d{2}[ .-]?\d{4}")
_PHONE_ANY = expression(r"\+?[(]?\d(?:[ .()/-]{0,3}\d){6,14}")
_CARD_LENGTHS = range(19, 12, -1)
_NO_DIGITS = bytes(byte for byte in range(256) if not 48 <= byte <= 57)
_CARD_FIRST = b"23456"
_IBAN_LENGTHS = range(34, 14, -1)
_PHONE_DIGITS = range(8, 16)


def us_ssn(text: bytes, topics: Topics) -> Iterator[Span]:
    """US social security numbers, with or without separators.

    Issued ranges only (SSA, RM 10201.030): area not 000, 666 or 9xx, group not 00, serial not 0000.
    Nine bare digits count when they stand alone or follow the letters "ssn"; under a key that says so
    also seven or eight, which are numbers that lost their leading zeros.
    """
    if not has_digits(text, 7):
        return
    for match in overlapping(_SSN_DASHED, text):
        if _issued(text[slice(*match.span())]):
            yield match.span()
    for match in overlapping(_SSN_LOOSE, text):
        start, end = match.span()
        if _issued(text[start:end]) and stands_alone(text, start, end) and _not_a_word_part(text, start, end):
            yield start, end
    if Topic.SSN in topics:
        short = _SSN_SHORT.search(text, 0)
        if short is not None and _issued(text.strip().rjust(9, b"0")):
            yield short.span()


def credit_card(text: bytes, topics: Topics) -> Iterator[Span]:
    """Payment card numbers: 13 to 19 digits (ISO/IEC 7812) that begin with 2 to 6 and satisfy Luhn."""
    if not has_digits(text, 13):
        return
    for match in overlapping(_CARD, text):
        start, end = match.span()
        if text[start] not in _CARD_FIRST or (start and text[start - 1 : start].isdigit()):
            continue
        places = [at for at in range(start, end) if text[at : at + 1].isdigit()]
        for length in _CARD_LENGTHS:
            if length > len(places):
                continue
            stop = places[length - 1] + 1
            if not text[stop : stop + 1].isdigit() and _luhn(text[start:stop]):
                yield start, stop
                break


def iban(text: bytes, topics: Topics) -> Iterator[Span]:
    """International bank account numbers (ISO 13616): 15 to 34 characters that leave 1 modulo 97."""
    if not has_digits(text, 15):
        return
    for match in overlapping(_IBAN, text):
        start, end = match.span()
        if start and text[start - 1 : start].isalnum():
            continue
        places = [at for at in range(start, end) if text[at : at + 1].isalnum()]
        for length in _IBAN_LENGTHS:
            if length > len(places):
                continue
            stop = places[length - 1] + 1
            if not text[stop : stop + 1].isalnum() and _mod_97(text[start:stop]):
                yield start, stop
                break


def phone(text: bytes, topics: Topics) -> Iterator[Span]:
    """Telephone numbers: international ones with + or 00 (E.164), North American ones with separators.

    Under a key that says so, any 7 to 15 digits.
    """
    if not has_digits(text, 7):
        return
    for match in overlapping(_PHONE_ABROAD, text):
        start, end = match.span()
        if is_word(text, start, end) and len(_digits(text[start:end]).lstrip(b"0")) in _PHONE_DIGITS:
            yield start, end
    for match in overlapping(_PHONE_NORTH_AMERICA, text):
        start, end = match.span()
        if stands_alone(text, start, end) and not _continues(text, start):
            yield start, end
    if Topic.PHONE in topics:
        for match in overlapping(_PHONE_ANY, text):
            if stands_alone(text, *match.span()):
                yield match.span()


def _digits(text: bytes) -> bytes:
    return text.translate(None, _NO_DIGITS)


def _issued(text: bytes) -> bool:
    digits = _digits(text)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return area not in (b"000", b"666") and area[:1] != b"9" and group != b"00" and serial != b"0000"


def _not_a_word_part(text: bytes, start: int, end: int) -> bool:
    if not text[start:end].isdigit():
        return True
    before, after = text[start - 1 : start] if start else b"", text[end : end + 1]
    return not after.isalpha() and (not before.isalpha() or text[:start].lower().endswith(b"ssn"))


def _continues(text: bytes, start: int) -> bool:
    """Whether what precedes makes the number part of something longer, as in 10.2.415.555.2671."""
    return start > 1 and text[start - 1 : start] in b".-" and text[start - 2 : start - 1].isalnum()


def _luhn(text: bytes) -> bool:
    digits = [byte - 48 for byte in reversed(_digits(text))]
    doubled = sum(sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    return (sum(digits[0::2]) + doubled) % 10 == 0 and len(set(digits)) > 1


def _mod_97(text: bytes) -> bool:
    plain = "".join(chr(byte) for byte in text if chr(byte).isalnum()).upper()
    moved = plain[4:] + plain[:4]
    return int("".join(str(int(character, 36)) for character in moved)) % 97 == 1
