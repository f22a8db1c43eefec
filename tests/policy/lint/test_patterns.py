"""Patterns that are not what they look like."""

from __future__ import annotations

import json

import pytest

from tests.support.linting import codes, findings, paying


def _with(pattern: str) -> str:
    return paying(f"parameters: {{memo: {{matches: {json.dumps(pattern)}}}}}")


@pytest.mark.parametrize("pattern", [r"[^\s\S]", r"a\Ab", "$a", "a^", "x(?:$)y", r"a|b$c".replace("a|", "")])
def test_a_pattern_that_no_text_matches_is_told(pattern: str) -> None:
    assert codes(_with(pattern)) == ["pattern-matches-nothing"]


@pytest.mark.parametrize("pattern", [".*", "(?s).*", r"[\s\S]*", r"[\S\s]*", "^.*$", "(.*)", r"\A(?:.*)\z", ".*?"])
def test_a_pattern_that_every_text_matches_is_told(pattern: str) -> None:
    assert codes(_with(pattern)) == ["pattern-matches-everything"]


@pytest.mark.parametrize("pattern", ["^INV-[0-9]+", "INV-[0-9]+$", r"\Aabc\z", "abc.*", ".*@acme", "^abc.*$"])
def test_anchors_and_stars_that_are_not_needed_are_a_note(pattern: str) -> None:
    (finding,) = findings(_with(pattern))
    assert (finding.code, finding.severity) == ("unanchored-expectation", "note")


@pytest.mark.parametrize(
    "pattern", ["api.acme.com", "https://api.acme.com/.*", "[a-z]+@acme.com", "(a|b).acme.io", "^www.acme.org$"]
)
def test_a_dot_of_a_host_that_stands_for_any_character_is_a_warning(pattern: str) -> None:
    (finding,) = findings(_with(pattern))
    assert (finding.code, finding.severity) == ("unanchored-expectation", "warning")


@pytest.mark.parametrize(
    "pattern",
    [
        "INV-[0-9]+",
        r"[a-z]+@acme\.com",
        ".+",
        ".*acme.*",
        "[a-z.com]+",
        r"\Qacme.com\E",
        r"cost: [0-9]+\$",
        "a.command",
        r"\w.com",
        "(?m)a$\n^b",
        "(a|$b)",
        "a??",
    ],
)
def test_any_other_pattern_is_fine(pattern: str) -> None:
    assert codes(_with(pattern)) == []


def test_patterns_of_elements_and_of_the_context_are_looked_at() -> None:
    assert codes(paying("parameters: {to: {any: {matches: '.*'}}}, context: {on_behalf_of: {matches: '^a'}}")) == [
        "pattern-matches-everything",
        "unanchored-expectation",
    ]


def test_a_defined_pattern_is_told_once_and_where_it_is_defined() -> None:
    rule = paying("parameters: {a: {matches: {pattern: any}}, b: {matches: {pattern: any}}}")
    (finding,) = findings(f'define: {{patterns: {{any: ".*"}}}}\n---\n{rule}')
    assert (finding.code, finding.problem.field) == ("pattern-matches-everything", "define.patterns.any")
