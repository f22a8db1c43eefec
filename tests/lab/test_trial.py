"""Tests tried on the real Rego in a real OPA."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.lab.cases import cases_of
from aegis_authz.lab.opa import lab_opa
from aegis_authz.lab.trial import CaseResult, Difference, differences, tried
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.load import load
from tests.support.tried_policies import MORE_TESTS, POLICIES, TESTS, TOOLS

SHADOW = POLICIES.replace("name: reading\n", "name: reading\nmode: shadow\n")


@pytest.fixture(scope="module")
def bench(opa_binary: Path) -> Iterator[Workbench]:
    with lab_opa(opa_binary) as opa:
        yield Workbench(load({"agents.yaml": POLICIES}, {"tools.yaml": TOOLS}), opa)


def outcomes(bench: Workbench, tests: str) -> list[CaseResult]:
    return tried(bench, cases_of({"a_test.yaml": tests}, bench.loaded))


def differs(bench: Workbench, right: str, wrong: str) -> list[Difference]:
    """What is told of the tests when one expectation is written wrongly."""
    assert right in TESTS
    return [difference for one in outcomes(bench, TESTS.replace(right, wrong)) for difference in one.differences]


def test_what_is_expected_is_decided(bench: Workbench) -> None:
    found = outcomes(bench, TESTS) + outcomes(bench, MORE_TESTS)

    assert [one.case.name for one in found if not one.passed] == []
    assert len(found) == 8


def test_no_tests_are_tried_without_asking(bench: Workbench) -> None:
    assert tried(bench, []) == []


def test_another_effect_is_told_with_the_line_of_the_expectation(bench: Workbench) -> None:
    assert differs(bench, "effect: sanitize\n", "effect: deny\n") == [Difference("effect", "deny", "sanitize", 19)]


@pytest.mark.parametrize(
    ("right", "wrong", "member", "expected", "decided"),
    [
        ("policies: [paying]", "policies: [reading]", "policies", ["reading"], ["paying"]),
        ("findings: [amount max]", "findings: []", "findings", [], ["amount max"]),
        ("findings: []", "findings: [amount max]", "findings", ["amount max"], []),
        (
            "approval: {groups: [finance]}",
            "approval: {groups: []}",
            "approval",
            {"groups": []},
            {"groups": ["finance"]},
        ),
        (
            "approval: {groups: [finance]}",
            "approval: {expires_in: 60}",
            "approval",
            {"expires_in": 60},
            {"expires_in": 900},
        ),
    ],
)
def test_each_member_is_compared(
    bench: Workbench, right: str, wrong: str, member: str, expected: object, decided: object
) -> None:
    [told] = differs(bench, right, wrong)

    assert (told.member, told.expected, told.decided) == (member, expected, decided)


def test_an_obligation_is_compared_whole(bench: Workbench) -> None:
    [told] = differs(bench, "detectors: [us_ssn]", "detectors: []")

    assert told.member == "obligations"
    assert told.decided == [{"kind": "redact", "target": "response", "detectors": ["us_ssn"], "fields": ["/notes"]}]


def test_what_is_left_out_is_not_compared(bench: Workbench) -> None:
    short = "tests:\n  - name: it\n    call: {agent: acme/emea/payer, tool: payments-api, action: refund}\n"

    [one] = outcomes(bench, short + "    expect: {effect: deny}\n")

    assert one.passed


def test_what_a_shadow_would_do_is_compared(opa_binary: Path) -> None:
    text = "tests:\n  - name: it\n    call: {agent: acme/emea/reader, tool: records-api, action: read}\n"
    with lab_opa(opa_binary) as opa:
        shadowed = Workbench(load({"agents.yaml": SHADOW}, {"tools.yaml": TOOLS}), opa)
        [right] = outcomes(shadowed, text + "    expect: {effect: allow, reason: SHADOWED, would: sanitize}\n")
        [wrong] = outcomes(shadowed, text + "    expect: {effect: allow, would: deny}\n")

    assert right.passed
    assert [(one.member, one.expected, one.decided) for one in wrong.differences] == [("would", "deny", "sanitize")]


def test_an_answer_that_cannot_be_read_is_a_denial(bench: Workbench) -> None:
    case = cases_of({"a_test.yaml": TESTS}, bench.loaded)[0]

    told = differences(case, Refused(Reason.DECISION_MALFORMED, "no effect"))

    assert {one.member: one.decided for one in told if one.member in ("effect", "reason")} == {
        "effect": "deny",
        "reason": "DECISION_MALFORMED",
    }
