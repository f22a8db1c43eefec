"""What is said of patterns is held against RE2 itself."""

from __future__ import annotations

import itertools

import pytest
import re2  # type: ignore[import-untyped]  # google-re2 ships no types

from aegis_authz.policy.compile.comparisons import anchored, pattern_fault
from aegis_authz.policy.lint.pattern_shapes import matches_everything, matches_nothing, unanchored

_PARTS = [
    "a",
    "^",
    "$",
    r"\A",
    r"\z",
    "(?:",
    "(",
    ")",
    "|",
    "*",
    "?",
    "+",
    "{0}",
    "{2}",
    r"[^\s\S]",
    "[^a]",
    r"\b",
    "(?m)",
]
_TEXTS = ["", "a", "b", "aa", "ab", "a\nb", "\n", "\na", "aaa", "aaaa", "a a"]


def _valid_patterns() -> list[str]:
    made = ("".join(parts) for length in (1, 2, 3) for parts in itertools.product(_PARTS, repeat=length))
    return [pattern for pattern in made if pattern_fault(pattern) is None]


def test_no_pattern_that_is_said_to_match_nothing_matches_anything() -> None:
    condemned = [pattern for pattern in _valid_patterns() if matches_nothing(pattern)]
    wrong = [(one, text) for one in condemned for text in _TEXTS if re2.search(anchored(one), text) is not None]
    assert len(condemned) > 100
    assert wrong == []


def test_every_pattern_that_is_said_to_match_everything_does() -> None:
    parts = ["^", "$", "(", ")", "(?:", "(?s)", ".", "*", "?", r"[\s\S]", r"\A", r"\z", "|"]
    made = ["".join(some) for length in (2, 3, 4) for some in itertools.product(parts, repeat=length)]
    praised = [pattern for pattern in made if matches_everything(pattern) and pattern_fault(pattern) is None]
    wrong = [(one, text) for one in praised for text in ("", "a", "é x") if re2.search(anchored(one), text) is None]
    assert len(praised) > 10
    assert wrong == []


@pytest.mark.parametrize(
    "pattern",
    [
        r"[^\x00-\x{10FFFF}]",
        r"[^\d\D]x",
        "(a[^\\s\\S])+",
        "(?P<n>a$)b",
        r"\Qab\E^",
        r"[^\p{Any}]",
        "(?i)a(^b|^c)",
        r"x{2,3}^",
    ],
)
def test_patterns_that_match_nothing_are_known_in_many_forms(pattern: str) -> None:
    assert pattern_fault(pattern) is None
    assert matches_nothing(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "",
        "()",
        "^^a$$",
        "(^a|b$)",
        r"[]^]",
        r"[^]a]",
        r"[[:alpha:]^]",
        r"\pL",
        r"\x{263A}$",
        "(?m)a\n^b",
        r"a{0}^b",
        r"\101",
        "a*^b",
        "a{,2}",
    ],
)
def test_patterns_that_match_something_are_spared(pattern: str) -> None:
    assert pattern_fault(pattern) is None
    assert not matches_nothing(pattern)


def test_a_pattern_nested_too_deeply_is_spared() -> None:
    assert not matches_nothing("(" * 150 + "$a" + ")" * 150)


def test_an_escaped_anchor_is_no_anchor() -> None:
    assert unanchored(r"^a\$") == r"a\$"
    assert unanchored(r"a\\$") == r"a\\"
    assert unanchored(r"\Aa\\z") == r"a\\z"
