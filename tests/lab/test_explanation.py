"""Explanations read from the real Rego on a real OPA."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from aegis_authz.core.decision import Decision
from aegis_authz.core.effect import Effect
from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.explanation import Explanation, LookedAtRule, explanation_of
from aegis_authz.lab.opa import LabError, LabOpa, lab_opa
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.load import load
from tests.support.tried_policies import POLICIES, TOOLS

ANY_TOOL = (
    "tool: any-api\nhost: any.example\nregion: eu\nactions:\n  do: {match: POST /do}\n  undo: {match: POST /undo}\n"
)
PAYMENT = {"amount": 5, "payee": "ACME"}


@pytest.fixture(scope="module")
def opa(opa_binary: Path) -> Iterator[LabOpa]:
    with lab_opa(opa_binary) as running:
        yield running


def explained(opa: LabOpa, call: TriedCall, policies: str = POLICIES, tools: str = TOOLS) -> Explanation:
    bench = Workbench(load({"agents.yaml": policies}, {"tools.yaml": tools}), opa)
    return explanation_of(call, bench.explain([call])[0], bench.loaded.loaded_policies)


def paying(**parameters: object) -> TriedCall:
    return TriedCall(agent="acme/emea/payer", tool="payments-api", action="pay", parameters=parameters)


def doing(opa: LabOpa, rule: str, listed: str = "allowed_tools", **parameters: object) -> LookedAtRule:
    """The one rule of a document with these members, after a call with these parameters."""
    policy = f"agent: one\nname: it\n{listed}:\n- name: any-api\n  actions: [do]\n{rule}"
    call = TriedCall(agent="o/t/one", tool="any-api", action="do", parameters=parameters)
    [document] = explained(opa, call, policy, ANY_TOOL).documents
    [looked_at] = document.rules
    return looked_at


def told(rule: LookedAtRule) -> list[tuple[str, str, str, str]]:
    return [(one.parameter, one.condition, one.state, one.failing) for one in rule.conditions]


def test_documents_rules_and_conditions_are_told_with_their_places(opa: LabOpa) -> None:
    explanation = explained(opa, paying(amount=500, payee="Initech"))

    [document] = explanation.documents
    [rule] = document.rules
    assert (document.name, document.mode, document.path, document.line) == ("paying", "enforce", "agents.yaml", 5)
    assert (rule.id, rule.outcome, rule.path, rule.line) == ("allowed_tools[0]", "deny", "agents.yaml", 11)
    assert [(one.parameter, one.condition, one.limit, one.value, one.line) for one in rule.conditions] == [
        ("amount", "type", "number", 500, None),
        ("amount", "max", 100, 500, 14),
        ("amount", "min", 0, 500, None),
        ("payee", "type", "string", "Initech", None),
        ("payee", "in", ["ACME", "Globex"], "Initech", 17),
    ]
    assert told(rule) == [
        ("amount", "type", "held", "deny"),
        ("amount", "max", "failed", "deny"),
        ("amount", "min", "held", "deny"),
        ("payee", "type", "held", "deny"),
        ("payee", "in", "failed", "approval_needed"),
    ]


def test_the_decision_is_the_one_the_mesh_would_get(opa: LabOpa) -> None:
    decision = explained(opa, paying(amount=5, payee="Initech")).decision

    assert isinstance(decision, Decision)
    assert decision.effect is Effect.APPROVAL_NEEDED
    assert decision.approval is not None
    assert decision.approval.groups == ("finance",)


def test_a_rule_of_a_template_is_told_where_the_template_stands(opa: LabOpa) -> None:
    call = TriedCall(agent="acme/emea/payer", tool="payments-api", action="refund")

    [document] = explained(opa, call).documents

    [rule] = document.rules
    assert (rule.id, rule.outcome, rule.line, rule.denies) == ("house-rules:denied_tools[0]", "deny", 3, True)


def test_after_what_is_missing_nothing_is_reached(opa: LabOpa) -> None:
    rule = doing(opa, "  conditions: {max_x: 5}\n")

    assert told(rule)[:2] == [("x", "present", "failed", "deny"), ("x", "max", "not reached", "deny")]
    assert not any(one.there for one in rule.conditions)


def test_what_may_be_left_out_holds_when_it_is(opa: LabOpa) -> None:
    rule = doing(opa, "  conditions: {parameters: {x: {max: 5, min: 1, optional: true}}}\n")

    assert rule.outcome == "allow"
    assert told(rule)[0] == ("x", "present", "held", "deny")


def test_null_is_there_and_of_no_type(opa: LabOpa) -> None:
    [kind, *_] = doing(opa, "  conditions: {max_x: 5}\n", x=None).conditions

    assert (kind.condition, kind.state, kind.there, kind.value) == ("type", "failed", True, None)


@pytest.mark.parametrize(
    ("conditions", "parameters", "outcome", "first"),
    [
        ("{x: {max: 5}}", {"x": 9}, "excused", ("x", "max", "failed", "excuses")),
        ("{x: {max: 5}}", {"x": 3}, "deny", ("x", "max", "held", "excuses")),
        ("{x: {max: 5}}", {}, "deny", ("x", "present", "failed", "deny")),
        ("{x: {max: 5}}", {"x": "9"}, "deny", ("x", "type", "failed", "deny")),
        ("{x: {host_in: [a.example]}}", {"x": "no host"}, "deny", ("x", "host_in", "failed", "deny")),
        ("{x: {host_in: [a.example]}}", {"x": "b.example"}, "excused", ("x", "host_in", "failed", "excuses")),
        ("{x: {max: 5, optional: true}}", {}, "excused", ("x", "present", "failed", "excuses")),
        ("{x: {exists: true}}", {}, "excused", ("x", "present", "failed", "excuses")),
        ("{x: {exists: false}}", {}, "deny", ("x", "present", "held", "deny")),
    ],
)
def test_in_a_rule_that_denies_failing_excuses_only_where_it_is_known(
    opa: LabOpa, conditions: str, parameters: dict[str, object], outcome: str, first: tuple[str, str, str, str]
) -> None:
    rule = doing(opa, f"  conditions: {{parameters: {conditions}}}\n", "denied_tools", **parameters)

    assert rule.outcome == outcome
    assert first in told(rule)
    assert [one for one in told(rule) if one[1] == first[1]] == [first]


def test_the_time_is_told_as_the_call_says_it(opa: LabOpa) -> None:
    policy = (
        "agent: one\nallowed_tools:\n- name: any-api\n  actions: [do]\n"
        "  conditions: {context: {time: {within: [{hours: '09:00-17:00'}]}}}\n"
    )
    call = TriedCall.model_validate(
        {"agent": "o/t/one", "tool": "any-api", "action": "do", "context": {"time": "2026-03-02T20:00:00+01:00"}}
    )

    [document] = explained(opa, call, policy, ANY_TOOL).documents

    within = document.rules[0].conditions[-1]
    assert (within.condition, within.state, within.value) == ("within", "failed", "2026-03-02T20:00:00+01:00")


def test_a_tool_outside_the_regions_is_told(opa: LabOpa) -> None:
    policy = "agent: one\nregions: [us]\nallowed_tools:\n- {name: any-api, actions: [do]}\n"

    [document] = explained(opa, TriedCall(agent="o/t/one", tool="any-api", action="do"), policy, ANY_TOOL).documents

    assert (document.regions, document.outside) == (("us",), True)


Change = Callable[[dict[str, Any]], object]


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.pop("documents"),
        lambda said: said.update(more=1),
        lambda said: said["documents"][0].update(name="nobody"),
        lambda said: said["documents"][0].update(mode="dream"),
        lambda said: said["documents"][0].update(outside=None),
        lambda said: said["documents"][0].update(rules={}),
        lambda said: said["documents"][0]["rules"][0].update(id="allowed_tools[9]"),
        lambda said: said["documents"][0]["rules"][0].update(outcome="excused"),
        lambda said: said["documents"][0]["rules"][0]["conditions"][0].update(holds="yes"),
        lambda said: said["documents"][0]["rules"][0]["conditions"][0].update(otherwise="allow"),
        lambda said: said["documents"][0]["rules"][0]["conditions"][0].update(parameter=None),
    ],
)
def test_what_is_not_told_to_the_letter_is_not_believed(opa: LabOpa, change: Change) -> None:
    bench = Workbench(load({"agents.yaml": POLICIES}, {"tools.yaml": TOOLS}), opa)
    call = paying(**PAYMENT)
    said: Mapping[str, Any] = bench.explain([call])[0]
    spoilt = copy.deepcopy(dict(said))
    change(spoilt)

    explanation_of(call, said, bench.loaded.loaded_policies)
    with pytest.raises(LabError, match="OPA explained in a way this version does not know"):
        explanation_of(call, spoilt, bench.loaded.loaded_policies)
