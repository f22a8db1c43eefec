"""What numbers prove of themselves: check digits, checksums, issued ranges; and whether a number goes on."""

from __future__ import annotations

from aegis_authz.redact.text.pattern import touches_digit

NO_DIGITS = bytes(byte for byte in range(256) if not 48 <= byte <= 57)
_NO_ALNUM = bytes(byte for byte in range(256) if not (byte < 128 and chr(byte).isalnum()))
_VALUES = {byte: str(int(chr(byte), 36)) for byte in range(128) if chr(byte).isalnum()}
_DOUBLED = bytes(
    48 + (2 * (byte - 48)) % 10 + (2 * (byte - 48)) // 10 if 48 <= byte <= 57 else 48 for byte in range(256)
)


def has_luhn(digits: bytes) -> bool:
    """Whether the last digit is the check digit of the others (ISO/IEC 7812-1, annex B)."""
    total = sum(digits[-1::-2]) + sum(digits[-2::-2].translate(_DOUBLED))
    return (total - 48 * len(digits)) % 10 == 0


def has_mod_97(text: bytes) -> bool:
    """Whether letters and digits leave 1 modulo 97 as in an IBAN (ISO 7064)."""
    plain = text.translate(None, _NO_ALNUM)
    return int("".join(map(_VALUES.__getitem__, plain[4:] + plain[:4])) or "0") % 97 == 1


def is_issued(text: bytes) -> bool:
    """Whether the digits in a text are a social security number of an issued range (SSA, RM 10201.030)."""
    digits = text.translate(None, NO_DIGITS)
    area, group, serial = digits[:3], digits[3:5], digits[5:]
    return (
        len(digits) == 9 and area not in (b"000", b"666") and area[:1] != b"9" and group != b"00" and serial != b"0000"
    )


def is_longer(data: bytes, start: int, end: int, gap: bytes) -> bool:
    """Whether the number goes on, before or behind, directly or after a separator."""
    if touches_digit(data, start, end):
        return True
    before, after = data[max(0, start - 2) : start], data[end : end + 2]
    return (before[-1:] in gap and before[:1].isdigit() and len(before) == 2) or (
        after[:1] in gap and after[1:].isdigit() and len(after) == 2
    )
