"""Conditions in their one compiled form."""

from __future__ import annotations

from typing import Any

import pytest

from aegis_authz.core.json_value import Json
from aegis_authz.policy.compile.conditions import ValueConditions, path_of, short_form, value_conditions
from aegis_authz.policy.language.rule import Conditions


def settled(raw: dict[str, Any], denying: bool = False) -> dict[str, ValueConditions]:
    found, faults = value_conditions(Conditions.model_validate(raw), denying)
    assert faults == []
    return {one.label: one for one in found}


def faults_of(raw: dict[str, Any]) -> list[tuple[tuple[str | int, ...], str]]:
    return value_conditions(Conditions.model_validate(raw))[1]


def checks(one: ValueConditions) -> set[tuple[str, object, str]]:
    def fixed(limit: Json) -> object:
        return tuple(limit) if isinstance(limit, list) else limit

    return {(check.condition, fixed(check.limit), check.otherwise) for check in one.checks}


def test_a_maximum_refuses_negative_values_unless_a_minimum_is_given() -> None:
    zero = ("min", 0, "deny")
    assert checks(settled({"max_amount": 5})["amount"]) == {zero, ("max", 5, "deny")}
    assert checks(settled({"max_amount": 5, "min_amount": -5})["amount"]) == {("min", -5, "deny"), ("max", 5, "deny")}
    assert checks(settled({"parameters": {"t": {"max": 5}}})["t"]) == {zero, ("max", 5, "deny")}
    assert checks(settled({"parameters": {"t": {"under": 5}}})["t"]) == {zero, ("under", 5, "deny")}
    assert zero not in checks(settled({"parameters": {"t": {"under": 5, "over": -9}}})["t"])
    assert zero in checks(settled({"approval_needed_over": 5})["amount"])


def test_conditions_of_a_rule_that_denies_get_nothing_added() -> None:
    assert checks(settled({"max_amount": 5}, denying=True)["amount"]) == {("max", 5, "deny")}


def test_a_bare_threshold_is_about_the_one_bounded_parameter() -> None:
    threshold = ("approval_needed_over", 5, "approval_needed")
    assert threshold in checks(settled({"max_total": 9, "min_total": 1, "approval_needed_over": 5})["total"])
    assert list(settled({"approval_needed_over": 5})) == ["amount"]
    both = settled({"max_total": 9, "max_tip": 3, "approval_needed_over_tip": 2})
    assert ("approval_needed_over", 2, "approval_needed") in checks(both["tip"])
    assert {otherwise for _, _, otherwise in checks(both["total"])} == {"deny"}


def test_a_threshold_may_lie_at_the_maximum_or_above_it() -> None:
    settled({"max_amount": 5000, "approval_needed_over": 5000})
    settled({"max_amount": 5000, "approval_needed_over": 6000})


def test_each_condition_says_what_its_failure_means() -> None:
    rules = {"payee": [{"type": "string"}, {"in": ["ACME"], "else": "approval_needed"}, {"matches": "[A-Z]+"}]}
    found = settled({"parameters": rules})["payee"]
    assert checks(found) == {("in", ("ACME",), "approval_needed"), ("matches", "[A-Z]+", "deny")}
    assert found.type == "string"


def test_a_parameter_may_be_absent_must_be_absent_or_must_be_there() -> None:
    rules = {"a": {"optional": True, "type": "any"}, "b": {"exists": False}, "c": {"exists": True}}
    found = settled({"parameters": rules})
    assert {name: (one.optional, one.forbidden, one.type) for name, one in found.items()} == {
        "a": (True, False, "any"),
        "b": (True, True, "any"),
        "c": (False, False, "any"),
    }
    assert settled({"parameters": {"c": {"exists": True}}}, denying=True)["c"].optional


def test_what_surrounds_a_call_takes_the_words_of_a_parameter() -> None:
    context = {
        "environment": {"in": ["production"]},
        "acted_by": {"every": {"in": ["planner"]}},
        "token_age": {"max": 60},
        "time": {"within": [{"zone": "Europe/Berlin", "hours": "09:00-17:00"}], "else": "approval_needed"},
    }
    found = settled({"context": context})
    assert {name: one.type for name, one in found.items()} == {
        "context.time": "number",
        "context.environment": "string",
        "context.acted_by": "array",
        "context.token_age": "number",
    }
    assert {one.of for one in found.values()} == {"context"}
    assert found["context.time"].checks[0].otherwise == "approval_needed"
    assert found["context.environment"].path == ("environment",)


def test_what_must_be_known_around_a_call_is_not_optional_unless_the_rule_denies() -> None:
    told = {"context": {"on_behalf_of": {"exists": True}}}
    assert not settled(told)["context.on_behalf_of"].optional
    assert settled(told, denying=True)["context.on_behalf_of"].optional


def test_all_parameters_at_once_are_judged_by_a_schema() -> None:
    (found,) = settled({"schema": {"type": "object", "required": ["a"]}}).values()
    assert (found.label, found.path, found.type) == ("parameters", (), "object")


def test_a_name_or_a_pointer_leads_to_a_parameter() -> None:
    assert path_of("amount") == ("amount",)
    assert path_of("/customer/a~1b/c~0d") == ("customer", "a/b", "c~d")


def test_both_ways_of_writing_are_merged() -> None:
    merged = settled({"max_amount": 5, "parameters": {"amount": {"min": 1, "type": "integer"}}})["amount"]
    assert (merged.type, checks(merged)) == ("integer", {("min", 1, "deny"), ("max", 5, "deny")})


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
        ({"max_amount": 1, "parameters": {"amount": {"max": 2}}}, "max of amount is given twice"),
        ({"parameters": {"x": {"max": 1, "matches": "a"}}}, "is about a string, but max is about a number"),
        ({"parameters": {"x": {"type": "string", "max": 1}}}, "is about a number, but type is about a string"),
        ({"parameters": {"x": {"in": [1, "a"]}}}, "must hold values of one type"),
        ({"parameters": {"x": {}}}, "asks for nothing"),
        ({"parameters": {"x": {"optional": True}}}, "asks for nothing"),
        (
            {"parameters": {"x": [{"min": 1, "type": "number"}, {"type": "string"}]}},
            "is a string here and a number above",
        ),
        ({"parameters": {"x": {"exists": False, "in": ["a"]}}}, "a parameter that must be absent"),
        ({"parameters": {"x": {"every": {}}}}, "asks for nothing"),
        ({"parameters": {"x": {"every": {"max": 1, "matches": "a"}}}}, "is about a string"),
        ({"parameters": {"x": {"every": {"max": {"parameter": "y"}}}}}, "elements are not compared with parameters"),
        ({"parameters": {"/a/0": {"max": 1}}}, "write every or any"),
        ({"parameters": {"/a//b": {"max": 1}}}, "a pointer names members"),
        ({"context": {"time": {}}}, "must have within or not_within"),
        ({"context": {"environment": {}}}, "asks for nothing"),
        ({"context": {"environment": {"type": "number", "max": 1}}}, "environment is a string"),
        ({"context": {"token_age": {"max": {"parameter": "x"}}}}, "is not compared with parameters"),
        ({"schema": {"if": {}}}, "is not a word that can be judged"),
        ({"parameters": {"x": {"schema": {"$ref": "https://example.com"}}}}, "must name a schema of $defs"),
        ({"parameters": {"x": {"matches": "a("}}}, "is not an RE2 pattern"),
        ({"parameters": {"x": {"matches": "(?=a)"}}}, "is not an RE2 pattern"),
        ({"parameters": {"x": {"matches": "\\Qa"}}}, "is not an RE2 pattern"),
        ({"parameters": {"x": {"in": ["a"], "approval_needed_in": ["b"]}}}, "names a value that `in` does not allow"),
    ],
)
def test_conditions_that_contradict_themselves_are_refused(raw: dict[str, Any], expected: str) -> None:
    ((_, message),) = faults_of(raw)
    assert expected in message


def test_bounds_that_exclude_each_other_are_refused_in_any_part() -> None:
    ((where, message),) = faults_of({"parameters": {"x": [{"min": 5}, {"max": 2}]}})
    assert (where, message) == (("parameters", "x", 0, "min"), "no value is at least 5 and at most 2")


def test_short_forms_split_into_word_and_parameter() -> None:
    assert short_form("max_amount_eur") == ("max", "amount_eur")
    assert short_form("approval_needed_over") == ("approval_needed_over", "")
    assert short_form("approval_needed_over_tip") == ("approval_needed_over", "tip")
    assert [short_form(word) for word in ("max", "max_", "maximum", "approval_needed", "between_x")] == [None] * 5
