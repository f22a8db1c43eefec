"""One text that comes in pieces: what may be the beginning of a value waits for the next piece.

Held back is no more than the longest detector needs: the last word, the digits at the end, what a private key begins
with.
"""

from __future__ import annotations

import re

from aegis_authz.redact.detectors.dates import BIRTH_WORD
from aegis_authz.redact.edits import edited
from aegis_authz.redact.redactor import Redactor, marker
from aegis_authz.redact.text.folding import folded
from aegis_authz.redact.text.view import Replacement, View

_CONTEXT = 256
"""Bytes that went out already and may still say what the next ones mean."""

_LONGEST = 320
_LONGEST_TOKEN = 8192
_BREAK = re.compile(rb"[ \t\r\n]|[\xe0-\xf4][\x80-\xbf]{2,3}")
_SPACES = (b" ", b"\t", b"\r", b"\n")
_SIGNS = b"0123456789 \t\r\n.()/_+-"
_DIGIT = re.compile(rb"[0-9]")
_DIGITS_LENGTH = 81
"""Bytes of the digits at the end of a text with what stands between them, from the first digit on."""
_ACCOUNT = re.compile(rb"(?<![0-9A-Za-z])[A-Za-z]{2}[0-9]{2}(?:[ ./_-]{0,2}[0-9A-Za-z]){0,32}[ ./_-]{0,2}\Z")
_ACCOUNT_LENGTH = 102
_DATE = re.compile(rb"(?:[0-9]|(?i:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec))[0-9A-Za-z ,.'/-]{0,28}\Z")
_DATE_LENGTH = 31
_ARMOUR = re.compile(rb"-----BEGIN [A-Z0-9 ]{0,40}(?:PRIVATE KEY(?: BLOCK)?-----|[A-Z -]{0,30}\Z)")
_ARMOUR_END = re.compile(rb"-----END [A-Z0-9 ]{0,40}-----")
_ARMOUR_REST = 64
"""Bytes of a key that is swallowed, in which its end may have begun."""
_TOKEN = b"eyJ"
_BIRTH_REACH = 128


class Held:
    """A text in pieces, redacted as the whole would be."""

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._context = b""
        self._rest = b""
        self._is_swallowing = False

    @property
    def rest(self) -> bytes:
        """What waits."""
        return self._rest

    def feed(self, piece: bytes) -> bytes:
        """Take the next piece; what may be shown now."""
        text = self._rest + piece
        place, edits = self.judge(piece)
        return edited(text[:place], edits)

    def judge(self, piece: bytes) -> tuple[int, list[Replacement]]:
        """Take the next piece, or many at once.

        How many bytes of what waited and of the piece may be shown now, and what must stand in place of some of them.
        """
        text = self._rest + piece
        begin = 0
        if self._is_swallowing:
            end = _ARMOUR_END.search(text)
            begin = max(0, len(text) - _ARMOUR_REST) if end is None else end.end()
            if end is None:
                self._rest = text[begin:]
                return begin, [Replacement(0, begin, b"")] if begin else []
            self._is_swallowing = False
        edits = [Replacement(0, begin, b"")] if begin else []
        place = begin + self._release(text[begin:], None, begin, edits)
        if len(self._rest) > _LONGEST_TOKEN and _ARMOUR.match(self._rest) is not None:
            self._is_swallowing, self._rest = True, self._rest[-_ARMOUR_REST:]
            edits.append(Replacement(place, len(text) - len(self._rest), marker("secrets")))
            place = len(text) - len(self._rest)
        return place, edits

    def finish(self) -> bytes:
        """No piece will follow; what is left to show."""
        rest = self._rest
        return edited(rest, self.judge_rest())

    def judge_rest(self) -> list[Replacement]:
        """No piece will follow; what must stand in place of some of what waits, which may be shown now."""
        rest, self._rest = self._rest, b""
        if self._is_swallowing:
            return [Replacement(0, len(rest), b"")] if rest else []
        edits: list[Replacement] = []
        self._release(rest, len(rest), 0, edits)
        return edits

    def _release(self, text: bytes, place: int | None, begin: int, edits: list[Replacement]) -> int:
        """How much of a text may be shown, up to `place` if that is given; adds its edits as of `begin`."""
        if not text:
            self._rest = b""
            return 0
        place, found = self._redactor.following(self._context, text, self._hold_place(text) if place is None else place)
        self._rest = text[place:]
        self._context = (self._context + edited(text[:place], found))[-_CONTEXT:]
        edits += (Replacement(edit.start + begin, edit.end + begin, edit.shown) for edit in found)
        return place

    def _hold_place(self, text: bytes) -> int:
        view = folded(View(text))
        data = view.data
        place = _open_armour(data)
        if place is None:
            place = self._word_place(data)
        return len(text) if place >= len(data) else view.original((place, place + 1))[0]

    def _word_place(self, data: bytes) -> int:
        begin = max(0, len(data) - _LONGEST)
        tail = data[begin:]
        places = [_last_break(tail, 0), _digits_place(tail)]
        # an expression that must reach the end is tried at no place from which it could not: tried at every place of a
        # text that is digits alone, it cost 100 microseconds a piece
        account = _ACCOUNT.search(tail, max(0, len(tail) - _ACCOUNT_LENGTH))
        places += [] if account is None else [account.start()]
        if BIRTH_WORD.search((self._context + data)[-_BIRTH_REACH:], 0) is not None:
            date = _DATE.search(tail, max(0, len(tail) - _DATE_LENGTH))
            places += [] if date is None else [date.start()]
        place = begin + min(places)
        if place == begin and begin:  # a word without end: a token that began long ago, or nothing
            long = max(0, len(data) - _LONGEST_TOKEN)
            token = data.find(_TOKEN, max(long, _last_break(data, long)))
            return token if token >= 0 else begin
        return place


def _open_armour(data: bytes) -> int | None:
    """Where a private key begins that has no end."""
    armour = _ARMOUR.search(data)
    while armour is not None:
        end = _ARMOUR_END.search(data, armour.end())
        if end is None:
            return armour.start()
        armour = _ARMOUR.search(data, end.end())
    return None


def _digits_place(tail: bytes) -> int:
    """Where the digits begin that may be a number with what follows; the end of the text where there are none."""
    length = len(tail)
    digit = _DIGIT.search(tail, max(len(tail.rstrip(_SIGNS)), length - _DIGITS_LENGTH))
    if digit is None:
        return length
    start = digit.start()
    while start > max(0, digit.start() - 2) and tail[start - 1] in b"+(":
        start -= 1
    return start


def _last_break(data: bytes, begin: int) -> int:
    """Where the last word begins, `begin` where there is but one."""
    if data.isascii():  # to go from break to break takes longer than all else for a text that comes letter by letter
        return max(begin, *(data.rfind(space, begin) + 1 for space in _SPACES))
    breaks = [match.end() for match in _BREAK.finditer(data, begin)]
    return breaks[-1] if breaks else begin
