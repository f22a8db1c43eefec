"""What is told of the limits a call meets: their terms and where they are written."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.met_limits import met_limits
from aegis_authz.lab.opa import LabOpa, lab_opa
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.load import load

TOOLS = {"t.yaml": "tool: bank\nhost: bank.example\nmcp: {}\n"}
POLICIES = """\
template: house
limits:
  - {name: house, rate_limit: 100/min}
---
agent: payer
name: paying
extends: house
allowed_tools:
  - name: bank
    actions: [pay]
    budget: 500 USD/day
    on_exceed: approval_needed
"""


@pytest.fixture(scope="module")
def opa(opa_binary: Path) -> Iterator[LabOpa]:
    with lab_opa(opa_binary) as running:
        yield running


def test_a_met_limit_has_its_terms_and_the_line_it_is_written_at(opa: LabOpa) -> None:
    loaded = load({"p.yaml": POLICIES}, TOOLS)
    call = TriedCall.model_validate({"agent": "o/t/payer", "tool": "bank", "action": "pay"})
    (decision,) = Workbench(loaded, opa).decide([call])
    told = [
        (limit.name, limit.word, limit.per, limit.on_exceed, limit.line)
        for limit in met_limits(decision, loaded.loaded_policies)
    ]
    assert told == [
        ("100 calls a minute (house)", "rate_limit", "agent", "deny", 3),
        ("500.00 USD a day (bank)", "budget", "agent", "approval_needed", 11),
    ]


def test_a_call_that_is_denied_meets_none(opa: LabOpa) -> None:
    loaded = load({"p.yaml": POLICIES}, TOOLS)
    call = TriedCall.model_validate({"agent": "o/t/payer", "tool": "bank", "action": "steal"})
    (decision,) = Workbench(loaded, opa).decide([call])
    assert met_limits(decision, loaded.loaded_policies) == ()
