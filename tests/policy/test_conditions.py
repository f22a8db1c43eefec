"""Conditions in their one compiled form."""

from __future__ import annotations

from typing import Any

import pytest

from aegis_authz.policy.conditions import Check, ParameterConditions, parameter_conditions, short_form
from aegis_authz.policy.document import Conditions


def settled(raw: dict[str, Any]) -> dict[str, ParameterConditions]:
    found, faults = parameter_conditions(Conditions.model_validate(raw))
    assert faults == []
    return {one.name: one for one in found}


def faults_of(raw: dict[str, Any]) -> list[tuple[tuple[str | int, ...], str]]:
    return parameter_conditions(Conditions.model_validate(raw))[1]


def test_a_maximum_refuses_negative_values_unless_a_minimum_is_given() -> None:
    assert settled({"max_amount": 5})["amount"].checks == (Check("min", 0), Check("max", 5))
    assert settled({"max_amount": 5, "min_amount": -5})["amount"].checks == (Check("min", -5), Check("max", 5))
    assert settled({"parameters": {"t": {"max": 5}}})["t"].checks == (Check("min", 0), Check("max", 5))
    assert settled({"approval_needed_over": 5})["amount"].checks == (Check("min", 0),)


def test_a_bare_threshold_is_about_the_one_bounded_parameter() -> None:
    assert settled({"max_total": 9, "min_total": 1, "approval_needed_over": 5})["total"].thresholds == (
        Check("approval_needed_over", 5),
    )
    assert list(settled({"approval_needed_over": 5})) == ["amount"]
    both = settled({"max_total": 9, "max_tip": 3, "approval_needed_over_tip": 2})
    assert (both["tip"].thresholds, both["total"].thresholds) == ((Check("approval_needed_over", 2),), ())


def test_both_ways_of_writing_are_merged() -> None:
    merged = settled({"max_amount": 5, "parameters": {"amount": {"min": 1, "type": "integer"}}})["amount"]
    assert (merged.type, merged.checks) == ("integer", (Check("min", 1), Check("max", 5)))


def test_the_type_follows_from_the_conditions() -> None:
    rules = {"a": {"in": ["x"]}, "b": {"equals": True}, "c": {"matches": "x+"}, "d": {"type": "any"}, "e": {"in": [1]}}
    assert {name: one.type for name, one in settled({"parameters": rules}).items()} == {
        "a": "string", "b": "boolean", "c": "string", "d": "any", "e": "number",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ({"max_a": 1, "max_b": 1, "approval_needed_over": 1}, "which parameter?"),
        (
            {"max_amount": -1},
            "no value is at least 0 and at most -1; negative values are refused unless a min is given",
        ),
        ({"max_amount": 1, "min_amount": 2}, "no value is at least 2 and at most 1"),
        ({"max_amount": 1, "approval_needed_over": 2}, "can never be reached"),
        ({"max_amount": 1, "parameters": {"amount": {"max": 2}}}, "max of amount is given twice"),
        ({"parameters": {"x": {"max": 1, "matches": "a"}}}, "is about a string, but max is about a number"),
        ({"parameters": {"x": {"type": "string", "max": 1}}}, "is about a number, but type is about a string"),
        ({"parameters": {"x": {"in": [1, "a"]}}}, "must hold values of one type"),
        ({"parameters": {"x": {}}}, "asks for nothing"),
        ({"parameters": {"x": {"optional": True}}}, "asks for nothing"),
        ({"parameters": {"x": {"matches": "a("}}}, "is not an RE2 pattern"),
        ({"parameters": {"x": {"matches": "(?=a)"}}}, "is not an RE2 pattern"),
        ({"parameters": {"x": {"matches": "\\Qa"}}}, "is not an RE2 pattern"),
        ({"parameters": {"x": {"in": ["a"], "approval_needed_in": ["b"]}}}, "names a value that `in` does not allow"),
    ],
)
def test_conditions_that_contradict_themselves_are_refused(raw: dict[str, Any], expected: str) -> None:
    ((_, message),) = faults_of(raw)
    assert expected in message


def test_short_forms_split_into_word_and_parameter() -> None:
    assert short_form("max_amount_eur") == ("max", "amount_eur")
    assert short_form("approval_needed_over") == ("approval_needed_over", "")
    assert short_form("approval_needed_over_tip") == ("approval_needed_over", "tip")
    assert [short_form(word) for word in ("max", "max_", "maximum", "approval_needed", "between_x")] == [None] * 5
