"""Limits that do not limit, and approvals nobody is asked for."""

from __future__ import annotations

import pytest

from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.lab.opa import LabOpa
from tests.support.linting import codes, document, effects, findings, paying

ASKED = "approval: {groups: [g]}"


NEVER = [
    ("max_amount: 100, approval_needed_over: 100", "approval-never"),
    ("max_amount: 100, approval_needed_over: 101", "approval-above-maximum"),
    ("parameters: {amount: {under: 100, approval_needed_over: 100}}", "approval-never"),
    ("parameters: {amount: {in: [1, 50], approval_needed_over: 50}}", "approval-never"),
    ("parameters: {amount: {in: [1, 50], approval_needed_over: 60}}", "approval-above-maximum"),
    ("parameters: {amount: [{max: 10}, {max: 20, else: approval_needed}]}", "approval-above-maximum"),
    ("parameters: {amount: [{min: 10}, {min: 5, else: approval_needed}]}", "approval-never"),
    ("parameters: {amount: [{over: 10}, {over: 10, else: approval_needed}]}", "approval-never"),
    ("parameters: {amount: [{under: 9}, {under: 9, else: approval_needed}]}", "approval-never"),
    ("parameters: {payee: {starts_with: A, approval_needed_in: [B, C]}}", "approval-never"),
]
GIVEN: list[dict[str, Json]] = [
    {},
    *(
        {"amount": amount, "payee": "A"}
        for amount in (-1, 0, 1, 4, 5, 8.5, 9, 10, 10.5, 20, 50, 55, 60, 99, 100, 100.5, 200)
    ),
    *({"payee": payee} for payee in ("A", "Ab", "B", "C")),
]


@pytest.mark.parametrize(("conditions", "code"), NEVER)
def test_an_approval_that_no_allowed_call_needs_is_told(conditions: str, code: str) -> None:
    assert codes(paying(conditions, ASKED)) == [code]


@pytest.mark.parametrize(("conditions", "code"), NEVER)
def test_opa_never_asks_for_such_an_approval_and_allows_something(opa: LabOpa, conditions: str, code: str) -> None:
    assert effects(opa, paying(conditions, ASKED), GIVEN) == {Effect.DENY, Effect.ALLOW}


@pytest.mark.parametrize(
    "conditions",
    [
        "max_amount: 100, approval_needed_over: 99.99",
        "approval_needed_over: 100",
        "max_amount: 100, parameters: {other: {approval_needed_over: 200}}",
        "parameters: {amount: {max: {parameter: limit}, approval_needed_over: 100}}",
        "parameters: {amount: [{max: 20}, {max: 10, else: approval_needed}]}",
        "parameters: {amount: [{max: 20, else: approval_needed}]}",
        "parameters: {amount: [{over: 10}, {min: 11, else: approval_needed}]}",
        "parameters: {payee: {starts_with: A, approval_needed_in: [Ab, C]}}",
    ],
)
def test_an_approval_that_some_allowed_call_needs_is_fine(conditions: str) -> None:
    assert codes(paying(conditions, ASKED)) == []


def test_the_threshold_is_what_is_shown() -> None:
    text = document(
        "allowed_tools:\n  - name: stripe-payments\n    actions: [create_payment]\n    conditions:\n"
        "      max_amount: 100\n      approval_needed_over: 100\n    approval: {groups: [g]}\n"
    )
    problem = findings(text)[0].problem
    assert (problem.line, problem.column) == (9, 7)
    assert problem.field == "allowed_tools[0].conditions.approval_needed_over"
    assert problem.excerpt.strip() == "approval_needed_over: 100"


@pytest.mark.parametrize("limit", ["max: 5", "under: 5"])
def test_a_maximum_of_what_may_be_left_out_is_told(limit: str) -> None:
    assert codes(paying(f"parameters: {{amount: {{{limit}, optional: true}}}}")) == ["optional-bound"]


def test_a_maximum_in_short_form_is_evaded_the_same_way() -> None:
    assert codes(paying("max_amount: 5, parameters: {amount: {type: number, optional: true}}")) == ["optional-bound"]


@pytest.mark.parametrize(
    "conditions",
    ["max_amount: 5", "parameters: {amount: {min: 5, optional: true}}", "parameters: {a: {in: [x], optional: true}}"],
)
def test_a_maximum_that_holds_for_every_call_is_fine(conditions: str) -> None:
    assert codes(paying(conditions)) == []


def test_every_without_a_minimum_of_elements_is_told() -> None:
    assert codes(paying("parameters: {to: {every: {in: [a]}}}")) == ["every-on-empty"]
    assert codes(paying("parameters: {to: {every: {in: [a]}, count: {max: 3}}}")) == ["every-on-empty"]


@pytest.mark.parametrize("more", ["count: {min: 1}", "count: {equals: 2}", "any: {in: [a]}", "schema: {minItems: 1}"])
def test_every_of_a_list_that_cannot_be_empty_is_fine(more: str) -> None:
    assert codes(paying(f"parameters: {{to: {{every: {{in: [a]}}, {more}}}}}")) == []


def test_the_minimum_may_stand_in_another_part_of_the_parameter() -> None:
    assert codes(paying("parameters: {to: [{every: {in: [a]}}, {count: {min: 1}}]}")) == []


def test_rules_that_deny_are_not_about_limits() -> None:
    rule = "{name: stripe-payments, actions: [refund], conditions: {parameters: {a: {max: 3, optional: true}, b: {every: {in: [x]}}}}}"
    text = document(f"allowed_tools:\n  - {{name: stripe-payments, actions: [refund]}}\ndenied_tools:\n  - {rule}\n")
    assert codes(text) == []
