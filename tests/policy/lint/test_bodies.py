"""What the catalogue says of bodies."""

from __future__ import annotations

import base64
from datetime import UTC, datetime

import pytest

from aegis_authz.policy.lint.run import linted
from tests.support.descriptors import descriptor_set
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


def test_messages_whose_fields_a_descriptor_set_tells_are_listed_or_told() -> None:
    tool = "tool: pay\nhost: pay.example\ndescriptor_set: pay.pb\nactions:\n  create: {match: POST /%s, body: grpc%s}\n"
    rule = document("allowed_tools: [{name: pay, actions: [create]}]\n")

    def codes(method: str, more: str = "") -> list[str]:
        texts = {"tools.yaml": tool % (method, more), "pay.pb": base64.b64encode(descriptor_set()).decode()}
        found = linted({"p.yaml": rule}, texts, None, datetime(2026, 1, 1, tzinfo=UTC))
        return [finding.code for finding in found if finding.code in ("unlisted-fields", "invalid")]

    assert codes("pay.v1.Payments/Create") == ["unlisted-fields"]
    assert codes("pay.v1.Payments/Create", ", parameters: {a: {from: /amount}}") == []
    assert codes("pay.v1.Payments/Talk", ", stream: opaque") == []


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
