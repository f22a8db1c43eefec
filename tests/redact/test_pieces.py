"""One text in pieces that are events: each comes back by itself, and together they are the redacted text."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.redact.detectors.table import DETECTORS
from aegis_authz.redact.finder import Finder
from aegis_authz.redact.held import Held
from aegis_authz.redact.pieces import Pieces
from aegis_authz.redact.redactor import Redactor
from aegis_authz.redact.sanitizer import unhurried
from tests.redact.test_deltas import SENTENCE, VALUES

TEXTS = st.lists(st.sampled_from((*VALUES, "a word", "born", "1/1/80", ".")), max_size=6).map(" and ".join)


def redactor() -> Redactor:
    return Redactor(Finder(DETECTORS, is_loose=False, tick=unhurried), numbers=False)


def cut(text: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(text), *(place % (len(text) + 1) for place in cuts)})
    return [text[begin:end] for begin, end in pairwise(places)]


@given(text=TEXTS, cuts=st.lists(st.integers(0, 200), max_size=60), groups=st.lists(st.integers(0, 60), max_size=5))
def test_pieces_searched_together_are_the_text_as_it_comes_piece_by_piece(
    text: str, cuts: list[int], groups: list[int]
) -> None:
    parts = cut(text.encode(), cuts)
    held, pieces = Held(redactor()), Pieces(redactor())
    slowly = b"".join(map(held.feed, parts)) + held.finish()
    borders = sorted({0, len(parts), *(place % (len(parts) + 1) for place in groups)})
    output = [piece for begin, end in pairwise(borders) for piece in pieces.feed(parts[begin:end])]
    output += pieces.finish()
    assert len(output) == len(parts)
    assert b"".join(output) == slowly


@pytest.mark.parametrize("value", VALUES)
def test_a_value_in_pieces_is_a_marker_in_the_first_and_nothing_in_the_rest(value: str) -> None:
    before, after = SENTENCE.format("\0").encode().split(b"\0")
    parts = [before, *(value.encode()[place : place + 1] for place in range(len(value.encode()))), after]
    pieces = Pieces(redactor())
    output = pieces.feed(parts) + pieces.finish()
    assert (output[0], output[-1]) == (before, after)
    assert output[1:-1] == [f"[REDACTED:{VALUES[value]}]".encode(), *[b""] * (len(parts) - 3)]


def test_a_piece_waits_whole() -> None:
    pieces = Pieces(redactor())
    assert pieces.feed([b"one two", b" three"]) == [b"one two"]
    assert pieces.feed([b" four "]) == [b" three", b" four "]
    assert pieces.finish() == []
