"""Values of enumerations that rules name, held against a descriptor set."""

from __future__ import annotations

import base64

import pytest

from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors
from tests.support.descriptors import descriptor_set

TOOLS = {
    "tools/pay.binpb": base64.b64encode(descriptor_set()).decode(),
    "tools/pay.yaml": """tool: pay
host: pay.example
descriptor_set: pay.binpb
actions:
  create:
    match: POST /pay.v1.Payments/Create
    body: grpc
    parameters:
      kind: {from: /kind, type: string}
      kinds: {from: /kinds, type: array, items: string}
      currency: {from: /currency, type: string}
      parent: {from: /parent, type: object}
      by_truth: {from: /by_truth, type: object}
      first: {from: /kinds/0, type: string}
      extra: {from: /extra}
  watch: {match: POST /pay.v1.Payments/Watch, body: grpc, others: allow}
""",
}


def problems(conditions: str, listed: str = "allowed_tools", action: str = "create") -> list[str]:
    text = f"agent: a\n{listed}:\n  - name: pay\n    actions: [{action}]\n    conditions: {{parameters: {{{conditions}}}}}\n"
    try:
        load({"p.yaml": text}, TOOLS)
    except PolicyErrors as errors:
        return [f"{problem.field}: {problem.message}" for problem in errors.problems]
    return []


@pytest.mark.parametrize(
    "conditions",
    [
        "kind: {in: [CARD, CASH]}",
        "kind: {not: KIND_UNSPECIFIED}",
        "kind: {matches: 'C.*'}",
        "kind: {equals: {parameter: currency}}",
        "currency: {in: [EUR, COINS]}",
        "kinds: {every: {in: [CARD]}}",
        "extra: {equals: COINS}",
        "/extra/null_value: {equals: none}",  # a member of a Value, and no field of it
        "/parent/kind: {equals: CARD}",
    ],
)
def test_a_rule_names_values_as_they_are_judged(conditions: str) -> None:
    assert problems(conditions) == []


@pytest.mark.parametrize(
    ("conditions", "label"),
    [
        ("kind: {not: COINS}", "COINS"),  # 2, which is judged as CASH: it would be let through
        ("kind: {not_in: [CARD, COINS]}", "COINS"),
        ("kind: {equals: card}", "card"),
        ("first: {in: [CARDS]}", "CARDS"),
        ("kinds: {every: {not: COINS}}", "COINS"),
        ("/parent/kind: {equals: COINS}", "COINS"),
        ("/parent/parent/kind: {equals: COINS}", "COINS"),
        ("/by_truth/true: {equals: COINS}", "COINS"),
    ],
)
@pytest.mark.parametrize("listed", ["allowed_tools", "denied_tools"])
def test_another_name_of_a_value_and_one_that_there_is_not_are_errors(conditions: str, label: str, listed: str) -> None:
    (problem,) = problems(conditions, listed)
    assert f"'{label}' is no value by which" in problem


def test_where_no_parameters_are_listed_fields_are_compared_by_their_names() -> None:
    assert problems("kind: {not: CASH}", action="watch") == []
    assert "'COINS' is no value" in problems("kind: {not: COINS}", action="watch")[0]
    assert "'COINS' is no value" in problems("/parent/kind: {not: COINS}", action="watch")[0]
