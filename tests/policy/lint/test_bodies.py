"""What the catalogue says of bodies."""

from __future__ import annotations

import pytest

from tests.support.linting import document, findings

TOOL = """\
tool: stripe-payments
host: api.stripe.example
actions:
  create_payment: {match: POST /v1/payments, body: %s%s}
"""
RULE = document("allowed_tools: [{name: stripe-payments, actions: [create_payment]}]\n")


def told(body: str, more: str = "") -> list[tuple[str, str]]:
    found = findings(RULE, TOOL % (body, more))
    return [(one.code, one.problem.field) for one in found if one.code in ("unlisted-fields", "chosen-variable")]


@pytest.mark.parametrize("body", ["form", "multipart", "ndjson", "text", "graphql", "[form, multipart]"])
def test_a_format_whose_fields_are_not_listed_is_told(body: str) -> None:
    assert told(body) == [("unlisted-fields", "actions.create_payment.body")]
    assert told(body, ", others: allow") == []
    assert told(body, ", parameters: {a: {from: /a}}") == []


@pytest.mark.parametrize("body", ["json", "binary", "grpc", "[form, json]"])
def test_a_format_that_needs_no_list_is_not_told(body: str) -> None:
    assert told(body) == []


def test_a_variable_of_graphql_is_told() -> None:
    place = ("chosen-variable", "actions.create_payment.parameters.a.from")
    assert told("graphql", ", parameters: {a: {from: /variables/a}}") == [place]
    assert told("graphql", ", parameters: {a: {from: /variables}}") == [place]
    assert told("graphql", ", parameters: {a: {from: /arguments/pay/a}, b: {from: /variables2}}") == []
    assert told("form", ", parameters: {a: {from: /variables/a}}") == []


def test_a_pointer_by_which_rules_judge_arguments_redacts_nothing_and_is_an_error() -> None:
    rule = "{name: stripe-payments, actions: [create_payment], sanitize: {request: {fields: [%s]}}}"
    tool = TOOL % ("graphql", ", parameters: {a: {from: /arguments/pay/a}}")

    def problems(pointer: str) -> list[str]:
        rules = document(f"allowed_tools: [{rule % pointer}]\n")
        return [one.problem.field for one in findings(rules, tool) if one.code == "invalid"]

    assert problems("/arguments/pay/a") == ["allowed_tools[0].sanitize.request.fields[0]"]
    assert problems("/variables/a") == []


def test_a_pointer_into_what_may_be_a_batch_is_an_error() -> None:
    rule = "{name: stripe-payments, actions: [create_payment], sanitize: {request: {%s}}}"

    def problems(redaction: str, batch: int) -> list[str]:
        rules = document(f"allowed_tools: [{rule % redaction}]\n")
        tool = TOOL % ("graphql", f", graphql: {{batch: {batch}}}, parameters: {{a: {{from: /arguments/pay/a}}}}")
        return [one.problem.field for one in findings(rules, tool) if one.code == "invalid"]

    assert problems("fields: [/variables/a]", 2) == ["allowed_tools[0].sanitize.request.fields"]
    assert problems("fields: [/variables/a]", 1) == []
    assert problems("detectors: [us_ssn]", 2) == []
