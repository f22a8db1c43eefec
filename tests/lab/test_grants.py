"""Grants of tried calls, judged by the real Rego on a real OPA."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from aegis_authz.core.decision import Decision
from aegis_authz.core.reason import Reason
from aegis_authz.evidence.replay import replayed
from aegis_authz.lab.calls import TriedCall, call_of
from aegis_authz.lab.explanation import explanation_of
from aegis_authz.lab.grants import LookedAtValue, looked_at_grant
from aegis_authz.lab.opa import LabOpa, lab_opa
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.load import load
from tests.check.test_settle import ALLOWED, recorded
from tests.support.tried_policies import POLICIES, TOOLS

PINNED = {"payments-api": {"pay": {"payee": ["ACME", "Globex"]}}}


@pytest.fixture(scope="module")
def bench(opa_binary: Path) -> Iterator[Workbench]:
    with lab_opa(opa_binary) as running:
        opa: LabOpa = running
        yield Workbench(load({"agents.yaml": POLICIES}, {"tools.yaml": TOOLS}), opa)


def paying(payee: str, *grant: dict[str, Any]) -> TriedCall:
    return TriedCall.model_validate(
        {
            "agent": "acme/emea/payer",
            "tool": "payments-api",
            "action": "pay",
            "parameters": {"amount": 5, "payee": payee},
            "grant": list(grant),
        }
    )


def test_a_tried_call_is_held_to_its_grant(bench: Workbench) -> None:
    wide = {"tools": {"*": {"*": {}}}}
    ended = {"tools": PINNED, "until": "2026-01-01T12:00:00Z"}
    calls = [
        paying("ACME"),
        paying("ACME", {"tools": PINNED}),
        paying("ACME", wide, {"tools": PINNED}),
        paying("ACME", wide, {"tools": {"payments-api": {"refund": {}}}}),
        paying("ACME", ended),
    ]
    decisions = [decision for decision in bench.decide(calls) if isinstance(decision, Decision)]
    assert [decision.reason for decision in decisions] == [
        Reason.ALLOWED,
        Reason.ALLOWED,
        Reason.ALLOWED,
        Reason.GRANT_EXCEEDED,
        Reason.GRANT_EXPIRED,
    ]


def test_an_explanation_tells_which_part_of_which_grant_failed(bench: Workbench) -> None:
    call = paying("ACME", {"tools": {"*": {"*": {}}}}, {"tools": {"payments-api": {"pay": {"payee": ["Globex"]}}}})
    [told] = bench.explain([call])
    first, last = explanation_of(call, told, bench.loaded.loaded_policies).grant
    assert (first.allows, first.values) == (True, ())
    assert (last.allows, last.is_over, last.tool, last.action) == (False, False, True, True)
    assert last.values == (LookedAtValue("payee", ("Globex",), "ACME", True, False),)


def test_a_call_without_a_grant_has_none_explained(bench: Workbench) -> None:
    call = paying("ACME")
    assert explanation_of(call, bench.explain([call])[0], bench.loaded.loaded_policies).grant == ()


def test_the_grant_of_a_recorded_call_is_tried_again() -> None:
    call = call_of(replayed(replace(recorded(ALLOWED), scheme="https")))
    assert [narrowing.tools for narrowing in call.grant] == [{"bank": {"pay": {"payee": ["Muster"]}}}] * 3
    assert call.grant[0].until == "2027-01-15T08:10:00+00:00"


@pytest.mark.parametrize(
    "grant",
    [
        {},
        {"tools": {}},
        {"tools": {"bank": {"pay": {"payee": "Muster"}}}},
        {"tools": PINNED, "until": "tomorrow"},
        {"tools": PINNED, "until": "2026-01-01T12:00:00"},
        {"tools": PINNED, "calls": 5},
    ],
    ids=str,
)
def test_a_tried_grant_that_is_none_is_an_error(grant: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        paying("ACME", grant)


@pytest.mark.parametrize(
    "data",
    [
        {},
        [{}],
        [{"is_over": 1, "tool": True, "action": True, "values": []}],
        [{"is_over": False, "tool": True, "action": True, "values": [{}]}],
        [{"is_over": False, "tool": True, "action": True, "values": {}}],
    ],
    ids=str,
)
def test_what_is_told_in_another_way_is_an_error(data: Any) -> None:
    with pytest.raises(ValueError, match="is n"):
        looked_at_grant(data)
