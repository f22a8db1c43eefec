"""What a JSON text is made of, told without reading its values one by one.

Everything here is a constant number of passes in C over the bytes, so that it costs a few milliseconds a MiB whatever
the text is. For a text that is no JSON the outline is of no use, and says nothing wrong about one that is: in JSON
every quotation mark that is not escaped begins or ends a string (RFC 8259, section 7).
"""

from __future__ import annotations

from array import array
from itertools import accumulate

_DIGITS = b"0123456789"
_NUMERIC = _DIGITS + b".eE+-"
_OPEN, _CLOSE = b"[{", b"]}"
_LONG_NUMBER = b"0" * 16
_STEPS = bytes.maketrans(_OPEN + _CLOSE, b"\x01\x01\xff\xff")
_NO_STEPS = bytes(byte for byte in range(256) if byte not in _OPEN + _CLOSE)
_KINDS = bytes(48 if byte in _DIGITS else 101 if byte in b"eE" else 32 for byte in range(256))
_NUMBERS = bytes(byte if byte in _NUMERIC else 32 for byte in range(256))
_LITERALS = (b"true", b"false", b"null")


class Outline:
    """A JSON text without its strings."""

    __slots__ = ("_marks",)

    def __init__(self, data: bytes) -> None:
        if b"\\" in data:
            data = data.replace(b"\\\\", b"").replace(b'\\"', b"")
        self._marks = b'""'.join(data.split(b'"')[::2])

    @property
    def members(self) -> int:
        """How many members its objects have together, each counted as often as it is written."""
        return self._marks.count(b":")

    @property
    def values(self) -> int:
        """How many values there are; an empty array or object counts as two."""
        return self._marks.count(b",") + self._marks.count(b"[") + self._marks.count(b"{") + 1

    @property
    def depth(self) -> int:
        """How many arrays and objects stand in each other at most."""
        steps = array("b", self._marks.translate(_STEPS, _NO_STEPS))
        return max(accumulate(steps), default=0)

    @property
    def has_unusual_numbers(self) -> bool:
        """Whether a number has an exponent, or more than 15 digits; all others every reader takes for the same."""
        kinds = self._marks.translate(_KINDS, b".")
        return _LONG_NUMBER in kinds or b"0e" in kinds

    def numbers(self) -> list[str]:
        """Every number as it is written."""
        marks = self._marks
        for literal in _LITERALS:
            marks = marks.replace(literal, b"")
        return marks.translate(_NUMBERS).decode("ascii").split()


def may_be_dense(data: bytes, most: int) -> bool:
    """Whether a text may have more than `most` values: commas and brackets are counted, also those within strings."""
    return data.count(b",") + data.count(b"[") + data.count(b"{") > most
