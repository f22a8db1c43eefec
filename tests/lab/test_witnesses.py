"""Calls on the bounds of two generations of policy: a change that matters has a witness, decided by a real OPA."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis_authz.lab.opa import LabOpa, lab_opa
from aegis_authz.lab.simulation import Flip, flips, simulated
from aegis_authz.lab.witnesses import MOST, boundary_calls
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.load import Loaded, load
from tests.support.tried_policies import POLICIES, TOOLS


@pytest.fixture(scope="module")
def opa(opa_binary: Path) -> Iterator[LabOpa]:
    with lab_opa(opa_binary) as running:
        yield running


RULE = """org: acme
tenant: emea
agent: payer
allowed_tools:
  - name: payments-api
    actions: [pay]
    conditions:
      min_amount: 5
      max_amount: 1000
      approval_needed_over: 500
      parameters: {payee: {in: [ACME, Globex]}}
"""


def loaded(policies: str) -> Loaded:
    return load({"agents.yaml": policies}, {"tools.yaml": TOOLS})


def between(opa: LabOpa, before: str, after: str) -> list[Flip]:
    sides = loaded(before), loaded(after)
    calls = boundary_calls(*sides)
    assert 0 < len(calls) <= MOST
    earlier, later = (simulated(Workbench(side, opa), calls) for side in sides)
    return flips(earlier, later)


def test_the_same_policy_has_none(opa: LabOpa) -> None:
    assert between(opa, RULE, RULE) == []
    assert between(opa, POLICIES, POLICIES) == []


@pytest.mark.parametrize(
    ("right", "changed", "direction"),
    [
        ("max_amount: 1000", "max_amount: 1001", "milder"),
        ("max_amount: 1000", "max_amount: 999.99", "stricter"),
        ("min_amount: 5", "min_amount: 4", "milder"),
        ("approval_needed_over: 500", "approval_needed_over: 501", "milder"),
        ("in: [ACME, Globex]", "in: [ACME]", "stricter"),
        ("in: [ACME, Globex]", "in: [ACME, Globex, Initech]", "milder"),
        ("{payee: {in: [ACME, Globex]}}", "{payee: {in: [ACME, Globex], optional: true}}", "milder"),
        ("actions: [pay]", "actions: [refund]", "stricter"),
    ],
)
def test_a_change_of_a_bound_has_a_witness_that_says_its_direction(
    opa: LabOpa, right: str, changed: str, direction: str
) -> None:
    assert right in RULE
    found = between(opa, RULE, RULE.replace(right, changed))
    assert direction in {flip.direction for flip in found}


def test_a_change_that_shows_in_two_values_at_once_alone_has_a_witness(opa: LabOpa) -> None:
    second = "denied_tools:\n  - name: payments-api\n    actions: [pay]\n    conditions: {parameters: {amount: {min: %s}, payee: {in: [Globex]}}}\n"
    found = between(opa, RULE + second % 300, RULE + second % 301)
    assert {str(flip.after.placed.call.parameters) for flip in found if flip.direction == "milder"} >= {
        "{'amount': 300, 'payee': 'Globex'}"
    }
