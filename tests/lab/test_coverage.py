"""What a set of calls has shown of the documents, by the real explanations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.cases import cases_of
from aegis_authz.lab.coverage import Coverage, Gap, coverage_of, percent_of
from aegis_authz.lab.opa import LabOpa, lab_opa
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.load import load
from tests.support.tried_policies import MORE_TESTS, POLICIES, TESTS, TOOLS

ANY_TOOL = "tool: any-api\nhost: any.example\nactions:\n  do: {match: POST /do}\n"


@pytest.fixture(scope="module")
def opa(opa_binary: Path) -> Iterator[LabOpa]:
    with lab_opa(opa_binary) as running:
        yield running


def covered(opa: LabOpa, calls: Sequence[TriedCall] | str) -> list[Coverage]:
    bench = Workbench(load({"agents.yaml": POLICIES}, {"tools.yaml": TOOLS}), opa)
    if isinstance(calls, str):
        calls = [case.call for case in cases_of({"a_test.yaml": calls}, bench.loaded)]
    return coverage_of(bench.loaded.loaded_policies, bench.explain(calls))


def shown(opa: LabOpa, conditions: str, *parameters: dict[str, object]) -> Coverage:
    """The coverage of one rule with these conditions, after calls with these parameters."""
    policy = f"agent: one\nname: it\nallowed_tools:\n- name: any-api\n  actions: [do]\n  conditions: {conditions}\n"
    bench = Workbench(load({"a.yaml": policy}, {"t.yaml": ANY_TOOL}), opa)
    calls = [TriedCall(agent="o/t/one", tool="any-api", action="do", parameters=given) for given in parameters]
    [one] = coverage_of(bench.loaded.loaded_policies, bench.explain(calls))
    return one


def test_a_rule_no_call_reaches_is_a_gap_where_it_was_written(opa: LabOpa) -> None:
    paying, reading = covered(opa, TESTS)

    assert paying.gaps == (Gap("agents.yaml", 3, "house-rules:denied_tools[0]", "no case reaches this rule"),)
    assert (paying.rules, paying.rules_reached, paying.sides, paying.sides_seen) == (2, 1, 4, 4)
    assert (reading.percent, reading.gaps) == (100.0, ())


def test_a_condition_counts_when_it_was_seen_to_hold_and_to_fail(opa: LabOpa) -> None:
    call = TriedCall(
        agent="acme/emea/payer", tool="payments-api", action="pay", parameters={"amount": 500, "payee": "ACME"}
    )

    paying = covered(opa, [call])[0]

    assert [(gap.line, gap.words) for gap in paying.gaps if "amount" in gap.words or "payee" in gap.words] == [
        (14, "amount max was never seen to hold"),
        (17, "payee in was never seen to fail"),
    ]
    assert (paying.sides, paying.sides_seen) == (4, 2)


def test_all_is_covered_when_every_rule_and_both_sides_were_seen(opa: LabOpa) -> None:
    whole = covered(opa, TESTS + MORE_TESTS.removeprefix("tests:\n"))

    assert percent_of(whole) == 100.0
    assert [gap for one in whole for gap in one.gaps] == []


def test_without_calls_nothing_is_covered_and_without_rules_everything_is(opa: LabOpa) -> None:
    whole = covered(opa, [])

    assert percent_of(whole) == 0.0
    assert [gap.words for one in whole for gap in one.gaps] == ["no case reaches this rule"] * 3
    assert percent_of([]) == 100.0


def test_a_negative_bound_nobody_wrote_is_no_condition(opa: LabOpa) -> None:
    seen = shown(opa, "{max_x: 10}", {"x": 1}, {"x": 11})

    assert (seen.sides, seen.sides_seen) == (2, 2)


@pytest.mark.parametrize(
    ("conditions", "holding", "failing"),
    [
        ("{parameters: {x: {exists: false}}}", {}, {"x": 1}),
        ("{parameters: {x: {exists: true}}}", {"x": 1}, {}),
        ("{parameters: {x: {type: string}}}", {"x": "a"}, {"x": 1}),
        ("{parameters: {x: {max: 10.0}}}", {"x": 1}, {"x": 11}),
        ("{parameters: {x: {in: [1.0, 2]}}}", {"x": 2}, {"x": 3}),
        ("{parameters: {x: {length: {max: 2}}}}", {"x": "ab"}, {"x": "abc"}),
        ("{parameters: {x: {every: {max: 5}}}}", {"x": [1]}, {"x": [9]}),
        ("{schema: {required: [x]}}", {"x": 1}, {}),
    ],
)
def test_every_kind_of_condition_is_known_again(
    opa: LabOpa, conditions: str, holding: dict[str, object], failing: dict[str, object]
) -> None:
    assert shown(opa, conditions, holding).sides_seen == 1
    assert shown(opa, conditions, failing).sides_seen == 1
    assert shown(opa, conditions, holding, failing).percent == 100.0


def test_two_conditions_of_one_word_are_told_apart(opa: LabOpa) -> None:
    seen = shown(opa, '{parameters: {x: [{matches: "[a-z]*"}, {matches: "[a-m]*"}]}}', {"x": "abc"}, {"x": "xyz"})

    assert (seen.sides, seen.sides_seen) == (4, 3)
    assert [gap.words for gap in seen.gaps] == ["x matches was never seen to fail"]
