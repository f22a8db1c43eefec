"""Where a piece of a text is cut: as an expression tried at every place would say, which cost 100 microseconds a piece."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.redact import held
from aegis_authz.redact.detectors.table import DETECTORS
from aegis_authz.redact.finder import Finder
from aegis_authz.redact.redactor import Redactor
from aegis_authz.redact.sanitizer import unhurried

_DIGITS = re.compile(rb"[+(]{0,2}[0-9][0-9 \t\r\n.()/_+-]{0,80}\Z")
_ALPHABETS = (b"1+( x", b"123+(", b"1 .+(/a", b"DE89 1.", b"jan 1,", b"1")


@st.composite
def tails(draw: st.DrawFn) -> bytes:
    alphabet = draw(st.sampled_from(_ALPHABETS))
    length = draw(st.one_of(st.integers(0, 6), st.integers(77, 108), st.just(320)))
    if draw(st.booleans()):
        return (alphabet * length)[:length]
    letters = draw(st.lists(st.sampled_from(alphabet), min_size=length, max_size=length))
    return bytes(letters)


@given(tails())
def test_digits_at_the_end_begin_where_the_first_of_them_that_may_count_does(tail: bytes) -> None:
    match = _DIGITS.search(tail)
    assert held._digits_place(tail) == (len(tail) if match is None else match.start())


@given(tails())
def test_nothing_that_reaches_the_end_begins_before_the_places_that_are_tried(tail: bytes) -> None:
    for form, length in ((held._ACCOUNT, held._ACCOUNT_LENGTH), (held._DATE, held._DATE_LENGTH)):
        everywhere, tried = form.search(tail), form.search(tail, max(0, len(tail) - length))
        assert (everywhere and everywhere.span()) == (tried and tried.span())


@given(st.text("ab \t\r\n1\u4e00\u00e9", max_size=40), st.integers(0, 8))
def test_a_word_begins_behind_the_last_of_all_breaks(text: str, begin: int) -> None:
    data = text.encode()
    breaks = [match.end() for match in held._BREAK.finditer(data, begin)]
    assert held._last_break(data, begin) == (breaks[-1] if breaks else begin)


def test_a_key_behind_a_whole_key_waits_for_its_end() -> None:
    key = b"-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----"
    text = key + b" " + key
    for place in range(len(key), len(text)):
        text_in_pieces = held.Held(Redactor(Finder(DETECTORS, is_loose=False, tick=unhurried), numbers=False))
        output = text_in_pieces.feed(text[:place]) + text_in_pieces.feed(text[place:]) + text_in_pieces.finish()
        assert output == b"[REDACTED:secrets] [REDACTED:secrets]"
