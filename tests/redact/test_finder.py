"""Texts that are searched together: what is found in one alone is found in it among others."""

from __future__ import annotations

import random

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from aegis_authz.core.decision import OwnDetector
from aegis_authz.redact.detectors.own import own_detectors
from aegis_authz.redact.detectors.table import DETECTORS
from aegis_authz.redact.finder import Finder, Found
from aegis_authz.redact.sanitizer import unhurried
from tests.redact.test_deltas import VALUES

WORDS = ("ssn ", "dob ", "phone: ", "born ", "123456789", "1/1/80", "123-45-6789", "4111 1111 1111 1111", "a@b.co")
ENDS_AND_BEGINNINGS = (
    *("<a x='", "' >", '<a x="', '">', "<!--", "-->", "<?", "?>", "<![CDATA[", "]]>", "&#49;23-45-6789", "%31", "\\"),
    *(
        "[REDACTED:us_ssn]",
        "REDACTED:",
        "x://",
        "://",
        ";pwd=",
        "{abc",
        "x} ",
        "pwd=&lt;a",
        "&gt;;",
        "ssn ,",
        '":',
        ',"',
    ),
    *("4111", " 1111", "-", "+", "00", "49 30 123", "DE89", "eyJ", ".", "@", "-----BEGIN PRIVATE KEY-----", "MTIzLTQ1"),
)
UNITS = (*WORDS, *ENDS_AND_BEGINNINGS, *VALUES)
TEXTS = st.lists(st.sampled_from(UNITS), min_size=1, max_size=4).map(lambda units: "".join(units).encode())
FINDERS = {is_loose: Finder(DETECTORS, is_loose=is_loose, tick=unhurried) for is_loose in (False, True)}


def missing(texts: list[bytes], is_loose: bool) -> list[bytes]:
    """Texts in which something is found that are no suspects, or else than is said of them."""
    finder = FINDERS[is_loose]
    suspects = finder.suspects(texts)
    return [text for place, text in enumerate(texts) if suspects.get(place, []) not in (None, finder.find(text))]


@given(texts=st.lists(TEXTS, min_size=2, max_size=6), is_loose=st.booleans())
@example(texts=[b"<!--", b"<!--&#49;23-45-6789", b"-->"], is_loose=False)
@example(texts=[b"<!--&#49;23-45-6789", b"-->"], is_loose=False)
@example(texts=[b"<a x='", b"&#49;23-45-6789' >"], is_loose=False)
@example(texts=[b";pwd={abc", b"x} "], is_loose=False)
@example(texts=[b"REDACTED:", b"ssn 123456789"], is_loose=False)
@example(texts=[b'ssn ,"123456789', b'":'], is_loose=False)
@example(texts=[b"x://", b"a@b.co"], is_loose=False)
@example(texts=[b"dob", b"phone: 030 1234567 1/2/1980"], is_loose=False)
@example(texts=[b"4111", b"4111 1111 1111 1111"], is_loose=True)
def test_a_text_in_which_something_is_found_is_a_suspect_among_any_others(texts: list[bytes], is_loose: bool) -> None:
    assert missing(texts, is_loose) == []


@pytest.mark.slow
def test_a_long_search_meets_no_text_that_is_no_suspect() -> None:
    chance = random.Random(5)  # noqa: S311  the same texts in every run
    for _ in range(60_000):
        texts = []
        for _ in range(chance.randint(2, 5)):
            text = "".join(chance.choices(UNITS, k=chance.randint(1, 4))).encode()
            begin = chance.randrange(len(text)) if chance.random() < 0.3 else 0
            texts.append(text[begin:])
        assert missing(texts, chance.random() < 0.5) == [], texts


def test_texts_without_anything_are_no_suspects() -> None:
    texts = [b"1", b"{}", b"", b"4111 1111", b"a word & <b>", b"a@b.co"]
    assert FINDERS[False].suspects(texts).keys() == {5}


def test_what_no_word_elsewhere_makes_a_value_is_known_of_each_text() -> None:
    texts = [b"dob", b"a@b.co", b"1/1/80", b"to c@d.co or 4111 1111 1111 1111", b"born 1/1/80"]
    assert FINDERS[False].suspects(texts) == {
        1: [Found(0, 6, "email")],
        2: None,
        3: [Found(3, 9, "email"), Found(13, 32, "credit_card")],
        4: None,
    }


def test_every_text_is_a_suspect_where_policy_defines_what_is_looked_for() -> None:
    own = own_detectors([OwnDetector("start", "^a", "")])
    assert Finder(own, is_loose=False, tick=unhurried).suspects([b"b", b"a"]) == {0: None, 1: None}
