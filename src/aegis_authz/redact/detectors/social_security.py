"""Detector of US social security numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator

from aegis_authz.redact.detectors.proofs import is_issued
from aegis_authz.redact.text.pattern import Span, expression
from aegis_authz.redact.text.searched import Search, Searched, windows_after, word_spans

NEAR = 40
"""How many bytes behind a word for it a social security number may begin."""

_GAP = r"[ \t\r\n./_-]{1,4}"
_SSN_DASHED = expression(r"[0-9]{3} ?-[ \t\r\n]{0,4}[0-9]{2} ?-[ \t\r\n]{0,4}[0-9]{4}")
_SSN_SPACED = expression(rf"[0-9]{{3}}{_GAP}[0-9]{{2}}{_GAP}[0-9]{{4}}")
_SSN_ANY = re.compile(rb"(?<![0-9])([0-9]{3})([ \t\r\n./_-]{0,5})([0-9]{2})([ \t\r\n./_-]{0,5})([0-9]{4})(?![0-9])")
_ISSUED = re.compile(
    rb"(?<![0-9])(?<![0-9]-)(?!000|666|9)[0-9]{3} ?-[ \t\r\n]{0,4}(?!00)[0-9]{2} ?-[ \t\r\n]{0,4}(?!0000)[0-9]{4}"
    rb"(?!-?[0-9])"
)
"""One with dashes in an issued range that does not go on: what `is_issued` and `is_longer` say, by one look."""
_ISSUED_APART = re.compile(
    rb"(?<![0-9A-Za-z])(?!000|666|9)[0-9]{3}([ \t\r\n./_-]{1,4})(?!00)[0-9]{2}([ \t\r\n./_-]{1,4})(?!0000)[0-9]{4}"
    rb"(?![0-9A-Za-z])"
)
_SSN_WORD_FORM = (
    r"(?i:social[ _.-]{0,2}sec|soc[ _.-]{1,2}sec|tax[ _-]?(?:payer)?[ _-]?id)"
    r"|(?:^|[^A-Za-z])(?i:ssn|ssan|itin|tin)(?i:s|no|nr|num|number)?(?:[^A-Za-z]|$)"
    r"|[a-z](?:SSN|Ssn)(?:No|Nr|Num|Number)?(?:[^a-z]|$)"
)
_SSN_WORD = expression(_SSN_WORD_FORM)
_SSN_SHORT = re.compile(rb"""(?i:ssn|number|no|security)["' ]{0,3}[:=][ "']{0,3}([0-9]{7,8})(?![0-9])""")
_SSN_LENGTH = 24
_WORD_REST = 24
"""What may follow of the word itself, as in "social security number"."""


def _dashed(text: Searched) -> Iterator[Span]:
    data = text.data
    for start, end in _SSN_DASHED.spans(data):
        text.tick()
        if _ISSUED.match(data, start) is not None:
            yield start, end


def _worded(text: Searched) -> Iterator[Span]:
    """Bare, or with other separators, at most NEAR bytes behind a word that says so.

    Under a key that says so seven or eight digits too, which are numbers that lost their leading zeros.
    """
    for place, window in windows_after(text.data, word_spans(text.data, _SSN_WORD), NEAR + _WORD_REST, _SSN_LENGTH):
        text.tick()
        for match in _SSN_ANY.finditer(window):
            if _alike(match[2], match[4]) and is_issued(match[0]):
                yield place + match.start(), place + match.end()
        short = _SSN_SHORT.search(window)
        if short is not None and is_issued(short[1].rjust(9, b"0")):
            yield place + short.start(1), place + short.end(1)


def _spaced(text: Searched) -> Iterator[Span]:
    """With other separators anywhere: in most texts a number of this kind, in some columns of a table."""
    data = text.data
    for start, end in _SSN_SPACED.spans(data) if text.is_loose else ():
        text.tick()
        parts = _ISSUED_APART.match(data, start)
        if parts is None or (parts[1] != parts[2] and not _alike(parts[1], parts[2])):
            continue
        gap = data[start + 3 : start + 4]
        is_behind = data[start - 1 : start] == gap and data[start - 2 : start - 1].isdigit()
        if not is_behind and not (data[end : end + 1] == gap and data[end + 1 : end + 2].isdigit()):
            yield start, end


def _alike(first: bytes, second: bytes) -> bool:
    return first == second or _separator(first) == _separator(second)


def _separator(gap: bytes) -> bytes:
    """What a separator is, white space around a sign left out."""
    return gap.strip() or gap[:1].replace(b"\t", b" ").replace(b"\r", b" ").replace(b"\n", b" ")


US_SSN = (
    Search(_dashed, (r"[0-9] ?-[ \t\r\n]{0,4}[0-9]{2} ?-[ \t\r\n]{0,4}[0-9]{4}",), b"123-45-6789"),
    Search(_worded, (_SSN_WORD_FORM,), b"ssn 123456789"),
    Search(_spaced, (rf"[0-9]{_GAP}[0-9]{{2}}{_GAP}[0-9]{{4}}",), b"123 45 6789"),
)
"""US social security numbers in their issued ranges (SSA, RM 10201.030)."""
