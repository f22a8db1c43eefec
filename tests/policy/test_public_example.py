"""The example of the public description: read as printed, as YAML and as JSON, and decided as it says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aegis_authz.core.decision import Decision
from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.opa import lab_opa
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors

TOOL = """
tool: stripe-payments
host: api.stripe.example
actions: {create_payment: {match: POST /v1/payments, parameters: {amount: {from: /amount, type: number}}}}
"""
EXAMPLE = """
agent: finance-agent
allowed_tools:
  - name: stripe-payments
    actions:
      - create_payment
    conditions:
      max_amount: 5000
      approval_needed_over: 5000
"""
AS_JSON = json.dumps(
    {
        "agent": "finance-agent",
        "allowed_tools": [
            {
                "name": "stripe-payments",
                "actions": ["create_payment"],
                "conditions": {"max_amount": 5000, "approval_needed_over": 5000},
            }
        ],
    },
    indent=2,
)


def test_yaml_and_json_mean_the_same() -> None:
    assert load({"p.yaml": EXAMPLE}, {"t.yaml": TOOL}).policies == load({"p.json": AS_JSON}, {"t.yaml": TOOL}).policies


@pytest.mark.parametrize("text", [EXAMPLE, AS_JSON])
def test_it_decides_as_it_says(opa_binary: Path, text: str) -> None:
    amounts = [0, 4200, 5000, 5000.01, 50000, -1]
    call = {"agent": "any/tenant/finance-agent", "tool": "stripe-payments", "action": "create_payment"}
    asked = [TriedCall.model_validate({**call, "parameters": {"amount": amount}}) for amount in amounts]
    with lab_opa(opa_binary) as opa:
        decisions = Workbench(load({"p": text}, {"t.yaml": TOOL}), opa).decide(asked)
    effects = [one.effect.value for one in decisions if isinstance(one, Decision)]
    assert effects == ["allow", "allow", "allow", "deny", "deny", "deny"]


def test_pasted_without_its_indentation_it_is_refused_with_the_reason() -> None:
    flat = "".join(line.lstrip() + "\n" for line in EXAMPLE.splitlines())
    with pytest.raises(PolicyErrors) as refused:
        load({"p.yaml": flat}, {"t.yaml": TOOL})
    assert "indentation" in str(refused.value)
    assert "p.yaml:" in str(refused.value)


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("budget: 500", "of which currency and in which time, such as 500 USD/day"),
        ("rate_limit: 3", "in which time, such as 3/s"),
        ("on_exceed: block", "must be 'deny', 'approval_needed', 'sanitize' or 'observe'"),
    ],
)
def test_the_words_of_its_table_of_costs_say_what_they_lack(word: str, sentence: str) -> None:
    with pytest.raises(PolicyErrors, match=sentence):
        load({"p.yaml": f"{EXAMPLE}    {word}\n"}, {"t.yaml": TOOL})


def test_the_words_of_its_table_of_costs_are_taken() -> None:
    limits = "    rate_limit: 3/s\n    on_exceed: approval_needed\n"
    assert len(load({"p.yaml": EXAMPLE + limits}, {"t.yaml": TOOL}).policies) == 1
