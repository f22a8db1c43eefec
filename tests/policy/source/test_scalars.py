"""Plain words: one meaning for every reader of YAML, or none."""

from __future__ import annotations

import pytest

from aegis_authz.policy.source.scalars import Unreadable, plain_value


@pytest.mark.parametrize(
    ("word", "value"),
    [("5", 5), ("-5", -5), ("0", 0), ("1.5", 1.5), ("1e3", 1000.0), ("true", True), ("false", False), ("null", None),
     ("~", None), ("", None), ("a b", "a b"), ("2026-12-25", "2026-12-25"), ("09:00-17:00", "09:00-17:00"),
     ("18446744073709551615", 2**64 - 1), ("10.0.0.0/8", "10.0.0.0/8")],
)  # fmt: skip
def test_a_word_is_one_json_value(word: str, value: object) -> None:
    found = plain_value(word)
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize("word", ["yes", "NO", "on", "True", "010", "0x1f", "1_000", "1:30", ".inf", "+5", "5.", ".5"])
def test_a_word_that_readers_disagree_on_has_no_value(word: str) -> None:
    with pytest.raises(Unreadable, match="read differently by different YAML readers"):
        plain_value(word)


@pytest.mark.parametrize("word", ["18446744073709551616", "9" * 100_000, "1e999"])
def test_a_number_that_does_not_fit_has_no_value(word: str) -> None:
    with pytest.raises(Unreadable, match=r"does not fit 64 bits|out of range"):
        plain_value(word)
