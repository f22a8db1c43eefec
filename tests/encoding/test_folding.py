from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.encoding.folding import _IGNORABLE, folded, mistakable, shape, simply_folded, stem, twin


@pytest.mark.parametrize(
    "name",
    [
        "Amount", "AMOUNT", "amount ", " amount", "amount\t", "amo\u200bunt", "amount\ufeff", "\uff41mount", "am\u00adount",
        "amount[]", "amount[0]", "amount[x][y]", "Amount []", "a\u034fmount", "amount\ufe0f", "amount\x00",
    ],
)  # fmt: skip
def test_a_name_that_some_reader_takes_for_a_known_one_is_mistakable(name: str) -> None:
    assert mistakable([name], {"amount", "payee"}) == name


@pytest.mark.parametrize("name", ["l\u0131mit", "L\u0130MIT", "LIM\u0131T", "\uff2c\uff29\uff2d\uff29\uff34"])
def test_the_letters_i_of_all_readers_are_one(name: str) -> None:
    assert mistakable([name], {"limit"}) == name


@pytest.mark.parametrize("name", ["Amount", "a.b ", "plain", "\u0416", "a-b", "Ключ 1"])
def test_case_dots_and_spaces_are_folded_simply(name: str) -> None:
    assert simply_folded(name) == folded(name)


@pytest.mark.parametrize("name", ["am\u200bount", "stra\u00dfe", "a\u00a0b", "x\x1c"])
def test_what_two_readers_fold_otherwise_is_not_folded_simply(name: str) -> None:
    assert simply_folded(name) is None


@pytest.mark.parametrize(("name", "known"), [("a.b", "a_b"), ("a b", "a_b"), ("\u017fum", "sum"), ("\u212aey", "key")])
def test_separators_and_letters_of_other_scripts_fold_as_readers_fold_them(name: str, known: str) -> None:
    assert mistakable([name], {known}) == name


@pytest.mark.parametrize("name", ["amounts", "amount2", "note", "amount-x", "am_ount", "", "[", "[]"])
def test_another_name_is_another_name(name: str) -> None:
    assert mistakable([name], {"amount", "payee"}) is None


def test_a_known_name_is_never_mistaken() -> None:
    assert mistakable(["Amount", "a.b", "x[]"], {"Amount", "a.b", "x[]"}) is None


def test_the_whole_of_a_structured_name_is_mistakable_for_its_part() -> None:
    assert mistakable(["filter"], {"filter[a]"}) == "filter"


@given(st.text(max_size=30))
def test_folding_twice_is_folding_once(name: str) -> None:
    assert folded(folded(name)) == folded(name)
    assert stem(stem(name)) == stem(name)


@given(st.text("abz019_", max_size=12), st.sampled_from(("\u200b", "\u00ad", "\ufeff")), st.integers(0, 12))
def test_characters_without_width_change_nothing(name: str, invisible: str, at: int) -> None:
    assert folded(name[:at] + invisible + name[at:]) == folded(name)


@given(st.text(max_size=20))
def test_members_are_twins_only_where_they_fold_to_one_name(name: str) -> None:
    assert twin(twin(name)) == twin(name)
    assert folded(twin(name)) == folded(name)


def defined_shape(text: str) -> str:
    """`shape` step by step, each of them for every text."""
    if text.isascii() and text.isprintable():
        return text.lower()
    plain = unicodedata.normalize("NFKC", text).upper().casefold().replace("i\u0307", "i")
    form = "".join(char for char in plain if unicodedata.category(char) not in ("Cf", "Cc")).translate(_IGNORABLE)
    return unicodedata.normalize("NFKC", form)


def test_no_character_is_folded_otherwise_because_a_step_is_left_out() -> None:
    letters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    assert [letter for letter in letters if shape(letter) != defined_shape(letter)] == []


@given(st.text(max_size=12))
def test_no_text_is_folded_otherwise_because_a_step_is_left_out(text: str) -> None:
    assert shape(text) == defined_shape(text)
