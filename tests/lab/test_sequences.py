"""Sequences of calls, judged by a real OPA and settled by the script of a mesh on a real Redis."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aegis_authz.commands.lab import bench_of
from aegis_authz.lab.cases import cases_of
from aegis_authz.lab.mutants import mutants_of, survivors
from aegis_authz.lab.opa import LabError, lab_opa
from aegis_authz.lab.trial import CaseResult, tried
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.load import Loaded, load
from aegis_authz.policy.source.problems import PolicyErrors

TOOLS = {
    "t.yaml": "tool: bank\nhost: bank.example\nactions:\n  pay:\n    match: POST /pay\n    parameters:\n"
    "      amount: {from: /amount, type: number}\n      payee: {from: /payee, type: string}\n"
    "  look: {match: GET /look}\n"
}
POLICIES = """\
org: o
tenant: t
agent: payer
name: paying
allowed_tools:
  - {name: bank, actions: [look], sets: {flags: [looked], life: 1h}}
  - name: bank
    actions: [pay]
    conditions: {max_amount: 500}
    requires: [looked]
    budget: {amount: 1000, currency: EUR, per: day, zone: Europe/Berlin, of: {parameter: amount}}
breaker: {refusals: 3, within: 60s, quarantine: 15m}
---
org: o
tenant: t
agent: "*"
name: house
limits:
  - {name: payees, tools: [bank], actions: [pay], distinct: {parameter: payee, max: 2, per: day}, on_exceed: approval_needed,
     approval: {groups: [finance], expires_in: 60}}
"""
LOOK = "{agent: o/t/payer, tool: bank, action: look}"
PAY = "{agent: o/t/payer, tool: bank, action: pay, parameters: {amount: %s, payee: %s}}"


def sequence(*steps: str, name: str = "it") -> str:
    return f"tests:\n  - name: {name}\n    sequence:\n" + "".join(f"      - {{{step}}}\n" for step in steps)


@pytest.fixture(scope="module")
def loaded() -> Loaded:
    return load({"p.yaml": POLICIES}, TOOLS)


@pytest.fixture(scope="module")
def bench(loaded: Loaded, opa_binary: Path, redis_binary: Path) -> Iterator[Workbench]:
    with bench_of(loaded, plays_sequences=True) as running:
        yield running


def outcomes(bench: Workbench, text: str) -> list[CaseResult]:
    return tried(bench, cases_of({"a_test.yaml": text}, bench.loaded))


def failures(bench: Workbench, text: str) -> list[tuple[str, object]]:
    return [
        (difference.member, difference.decided)
        for outcome in outcomes(bench, text)
        for difference in outcome.differences
    ]


DAY = sequence(
    f"call: {LOOK}, at: 2026-03-28T22:00:00Z, expect: {{effect: allow}}",
    f"call: {PAY % (400, 'ACME')}, expect: {{effect: allow, reason: ALLOWED, left: {{budget: 600, payees.distinct: 1}}}}",
    "expect: {effect: allow, left: {budget: 200}}",
    "expect: {effect: deny, reason: BUDGET_EXCEEDED, left: {budget: 200}}",
    "after: 1h, expect: {effect: deny, reason: FLAG_MISSING}",
    f"call: {LOOK}, expect: {{effect: allow}}",
    # midnight in Berlin, and of the house's day in UTC not yet
    f"call: {PAY % (1, 'Globex')}, expect: {{effect: allow, left: {{budget: 999, payees.distinct: 0}}}}",
    f"call: {PAY % (1, 'Initech')}, expect: {{effect: approval_needed, approval: {{groups: [finance], expires_in: 60}}}}",
    "after: 30m, expect: {effect: approval_needed}",
    "after: 30m, expect: {effect: deny, reason: FLAG_MISSING}",
)
QUARANTINE = sequence(
    f"call: {PAY % (501, 'ACME')}, times: 2, expect: {{effect: deny, reason: POLICY_DENIED}}",
    "after: 50s, expect: {effect: deny, reason: POLICY_DENIED}",
    f"call: {LOOK}, expect: {{effect: deny, reason: QUARANTINED}}",
    "after: 14m, expect: {effect: deny, reason: QUARANTINED}",
    "after: 2m, expect: {effect: allow}",
)


def test_calls_are_charged_at_their_times_and_what_is_left_is_told(bench: Workbench) -> None:
    assert failures(bench, DAY) == []


def test_refused_calls_open_the_breaker_until_its_time_is_over(bench: Workbench) -> None:
    assert failures(bench, QUARANTINE) == []


def test_each_sequence_begins_with_nothing_used(bench: Workbench) -> None:
    steps = (
        f"call: {LOOK}, expect: {{effect: allow}}",
        f"call: {PAY % (500, 'ACME')}, times: 2, expect: {{effect: allow, left: {{budget: 0}}}}",
    )
    assert failures(bench, sequence(*steps) + sequence(*steps, name="again").partition("tests:\n")[2]) == []


def test_a_step_that_is_answered_otherwise_is_told_with_its_line(bench: Workbench) -> None:
    text = sequence(
        f"call: {LOOK}, expect: {{effect: allow}}",
        f"call: {PAY % (400, 'ACME')}, times: 3, expect: {{effect: allow}}",
        "expect: {effect: deny, reason: FLAG_MISSING, left: {budget: 0}}",
    )
    found = [
        (outcome.case.name, one.member, one.expected, one.decided, one.line)
        for outcome in outcomes(bench, text)
        for one in outcome.differences
    ]
    assert found == [
        ("it, step 2", "effect", "allow", "deny", 5),
        ("it, step 3", "reason", "FLAG_MISSING", "BUDGET_EXCEEDED", 6),
        ("it, step 3", "left", {"budget": 0}, {"budget": 200}, 6),
    ]


def test_single_calls_and_sequences_stand_in_one_file(bench: Workbench) -> None:
    text = DAY + f"  - name: alone\n    call: {LOOK}\n    expect: {{effect: allow}}\n"
    assert [outcome.passed for outcome in outcomes(bench, text)] == [True] * 11


def test_a_wrong_limit_is_noticed_by_a_sequence_and_by_nothing_else(bench: Workbench) -> None:
    alone = f"tests:\n  - name: alone\n    call: {PAY % (400, 'ACME')}\n    expect: {{effect: allow}}\n"
    mutants = [
        mutant
        for mutant in mutants_of(bench.loaded.loaded_policies).distinct
        if mutant.words
        in ("budget amount 1000 became 1001", "refusals 3 became 4", "within 60s became 30s", "distinct max 2 became 3")
    ]
    assert len(mutants) == 4
    cases = {text: cases_of({"a_test.yaml": text}, bench.loaded) for text in (alone, DAY, QUARANTINE)}
    assert len(survivors(bench, cases[alone], mutants, lambda: None)) == 4
    assert {one.words for one in survivors(bench, cases[DAY], mutants, lambda: None)} == {
        "refusals 3 became 4",
        "within 60s became 30s",
    }
    assert len(survivors(bench, cases[QUARANTINE], mutants, lambda: None)) == 2


def test_without_a_store_no_sequence_is_played(loaded: Loaded, opa_binary: Path) -> None:
    with lab_opa(opa_binary) as opa, pytest.raises(LabError, match="no store"):
        outcomes(Workbench(loaded, opa), DAY)


@pytest.mark.parametrize(
    ("text", "field", "message"),
    [
        (sequence("expect: {effect: allow}"), "tests[0]", "begins with a call"),
        (sequence(f"call: {LOOK}, after: 1h, expect: {{effect: allow}}"), "tests[0]", "begins with a call"),
        (
            sequence(f"call: {LOOK}, at: yesterday, expect: {{effect: allow}}"),
            "tests[0].sequence[0].at",
            "must be a moment",
        ),
        (sequence(f"call: {LOOK}, times: 0, expect: {{effect: allow}}"), "tests[0].sequence[0].times", "at least 1"),
        (
            sequence(f"call: {LOOK}, expect: {{effect: allowed}}"),
            "tests[0].sequence[0].expect.effect",
            "did you mean 'allow'",
        ),
        (
            sequence(f"call: {LOOK}, expect: {{effect: allow, reason: RATE_LIMITED}}"),
            "tests[0].sequence[0].expect",
            "is a reason for deny",
        ),
        (sequence(f"call: {LOOK}, expect: {{effect: allow, left: {{money: 1}}}}"), "", "is none of budget, rate_limit"),
        (
            sequence(f"call: {LOOK.replace('look}', 'lok}')}, expect: {{effect: deny}}"),
            "tests[0].sequence[0].call.action",
            "has no action 'lok'",
        ),
        (
            sequence(
                f"call: {LOOK}, at: 2026-03-02T10:00:00Z, expect: {{effect: allow}}",
                "at: 2026-03-01T10:00:00Z, expect: {effect: allow}",
            ),
            "tests[0]",
            "goes back in time",
        ),
    ],
)
def test_a_sequence_that_cannot_be_meant_is_refused(loaded: Loaded, text: str, field: str, message: str) -> None:
    with pytest.raises(PolicyErrors) as caught:
        cases_of({"a_test.yaml": text}, loaded)
    (problem,) = caught.value.problems
    assert message in problem.message
    assert problem.field.startswith(field)
