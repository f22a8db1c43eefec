"""Rules against each other. What is said to be denied always is asked of a real OPA."""

from __future__ import annotations

import itertools

import pytest

from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.lab.opa import LabOpa
from tests.support.linting import MCP, codes, document, effects, findings

PAY = "{name: stripe-payments, actions: [create_payment]%s}"
REFUND = "{name: stripe-payments, actions: [refund]}"


def allowing(*rules: str, **members: str) -> str:
    return document("allowed_tools:\n" + "".join(f"  - {rule}\n" for rule in rules), **members)


def denying(*rules: str) -> str:
    return "denied_tools:\n" + "".join(f"  - {rule}\n" for rule in rules)


def two(one: str, other: str) -> str:
    """A document with two rules for payments, about the parameter x."""
    rules = (PAY % f", conditions: {{parameters: {{x: {given}}}}}" for given in (one, other))
    return allowing(*rules)


CLASHES = [
    ("{min: 500}", "{max: 100}"),
    ("{over: 5}", "{max: 5}"),
    ("{min: 5}", "{under: 5}"),
    ("{equals: 5}", "{equals: 6}"),
    ("{equals: 5}", "{not: 5}"),
    ("{equals: true}", "{equals: false}"),
    ("{in: [a, b]}", "{in: [c]}"),
    ("{in: [a, b]}", "{not_in: [a, b, c]}"),
    ("{in: [1, 2]}", "{min: 3}"),
    ("{in: [abc]}", "{starts_with: b}"),
    ("{equals: abc}", "{matches: '[0-9]+'}"),
    ("{starts_with: ab}", "{starts_with: b}"),
    ("{ends_with: ab}", "{ends_with: c}"),
    ("{length: {min: 5}}", "{length: {max: 4}}"),
    ("{count: {equals: 2}}", "{count: {min: 3}}"),
    ("{host_in: ['*.acme.com']}", "{host_in: [acme.com, '*.acme.org']}"),
    ("{in_ranges: [10.0.0.0/8]}", "{in_ranges: [11.0.0.0/8, '2001:db8::/32']}"),
    ("{type: string}", "{type: number}"),
    ("{exists: false}", "{type: string}"),
    ("{min: 500}", "{max: 100, optional: true}"),
]
VALUES: list[Json] = [
    *(0, 1, 2, 3, 4, 5, 6, 99, 100, 500, True, False),
    *(
        "",
        "a",
        "b",
        "c",
        "d",
        "abc",
        "abcde",
        "cab",
        "12",
        "acme.com",
        "x.acme.com",
        "x.acme.org",
        "10.1.1.1",
        "11.0.0.1",
    ),
    *([], [1, 2], [1, 2, 3], {}, None),
]
GIVEN: list[dict[str, Json]] = [{}, *({"x": value} for value in VALUES)]


@pytest.mark.parametrize(("one", "other"), CLASHES)
def test_conditions_that_cannot_hold_together_are_told_at_the_later_rule(one: str, other: str) -> None:
    (finding,) = [
        found for found in findings(two(one, other)) if found.severity == "warning" and "optional" not in found.code
    ]
    assert (finding.code, finding.problem.field) == ("unreachable-rule", "allowed_tools[1]")
    assert "contradicts allowed_tools[0] of acme/*/payer (line 5)" in finding.problem.message


@pytest.mark.parametrize(("one", "other"), CLASHES)
def test_opa_denies_whatever_such_rules_are_about(opa: LabOpa, one: str, other: str) -> None:
    assert effects(opa, two(one, other), GIVEN) == {Effect.DENY}


@pytest.mark.slow
def test_whatever_opa_allows_is_not_called_unreachable(opa: LabOpa) -> None:
    sides = sorted({side for pair in CLASHES for side in pair})
    pairs = list(itertools.combinations(sides, 2))
    condemned = [pair for pair in pairs if "unreachable-rule" in codes(two(*pair))]
    assert len(CLASHES) < len(condemned) < len(pairs)
    assert [pair for pair in condemned if effects(opa, two(*pair), GIVEN) != {Effect.DENY}] == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{min: 5}", "{max: 5}"),
        ("{in: [a, b]}", "{in: [b, c]}"),
        ("{min: 500}", "{max: 100, else: approval_needed}"),
        ("{min: 500, optional: true}", "{max: 100, optional: true}"),
        ("{min: 500}", "{max: {parameter: y}}"),
        ("{starts_with: ab}", "{starts_with: a}"),
        ("{host_in: ['*.acme.com']}", "{host_in: ['*.eu.acme.com']}"),
        ("{in_ranges: [10.0.0.0/8]}", "{in_ranges: ['::ffff:0:0/96']}"),
        ("{equals: 1}", "{in: [1.0]}"),
        ("{type: number}", "{type: integer}"),
        ("{length: {min: 2}}", "{length: {max: 2}}"),
    ],
)
def test_conditions_that_can_hold_together_are_fine(one: str, other: str) -> None:
    assert "unreachable-rule" not in codes(two(one, other))


def test_conditions_of_one_rule_that_cannot_hold_together_are_told() -> None:
    (finding,) = findings(allowing(PAY % ", conditions: {parameters: {x: {in: [a], starts_with: b}}}"))
    assert (finding.code, "no call can meet its conditions" in finding.problem.message) == ("unreachable-rule", True)


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        ("{weekdays: [mon]}", "{weekdays: [tue]}", True),
        ("{hours: '09:00-12:00'}", "{hours: '12:00-15:00'}", True),
        ("{from: 2030-01-01, until: 2030-02-01}", "{from: 2030-03-01}", True),
        ("{hours: '09:00-12:00'}", "{hours: '11:00-15:00'}", False),
        ("{weekdays: [mon], zone: Europe/Berlin}", "{weekdays: [tue]}", False),
    ],
)
def test_windows_that_never_meet_are_told(one: str, other: str, apart: bool) -> None:
    rules = (PAY % f", conditions: {{context: {{time: {{within: [{window}]}}}}}}" for window in (one, other))
    assert codes(allowing(*rules)) == (["unreachable-rule"] if apart else [])


def test_a_window_that_is_excluded_whole_is_told() -> None:
    time = ", conditions: {context: {time: {within: [{weekdays: [mon]}], not_within: [{weekdays: [mon, tue]}]}}}"
    assert codes(allowing(PAY % time)) == ["unreachable-rule"]
    assert codes(allowing(PAY % time.replace("[mon, tue]", "[tue]"))) == []


def test_rules_for_different_actions_or_agents_do_not_meet() -> None:
    low, high = (", conditions: {max_amount: 1}", ", conditions: {min_amount: 5}")
    other_action = "{name: stripe-payments, actions: [refund], conditions: {min_amount: 5}}"
    assert codes(allowing(PAY % low, other_action)) == []
    assert codes(f"{allowing(PAY % low)}---\n{allowing(PAY % high, agent='buyer')}") == []


def test_a_rule_for_all_actions_meets_every_other() -> None:
    everything = '{name: stripe-payments, actions: ["*"], conditions: {max_amount: 1}}'
    assert codes(allowing(everything, PAY % ", conditions: {min_amount: 5}")) == ["unreachable-rule"]


def test_rules_for_all_tools_of_a_server_that_contradict_each_other_say_nothing_of_the_rest() -> None:
    tools = MCP.replace("{}", "{tools: {a: {}, b: {}}}")
    everything = [f"{{name: github, actions: ['*'], conditions: {{{limit}}}}}" for limit in ("max_x: 5", "min_x: 9")]
    rest = [
        f"{{name: github, actions: [{one}], conditions: {{parameters: {{ref: {{equals: {one}}}}}}}}}" for one in "ab"
    ]
    told = [
        one.problem.field for one in findings(allowing(*everything, *rest), tools) if one.code == "unreachable-rule"
    ]
    assert told == ["allowed_tools[1]"]


def test_one_contradiction_among_very_many_rules_is_found() -> None:
    many = [PAY % f", conditions: {{max_amount: {limit}}}" for limit in range(1, 100)]
    told = [one.problem.field for one in findings(allowing(*many, PAY % ", conditions: {min_amount: 90}"))]
    assert told == ["allowed_tools[99]"]


def test_a_rule_whose_every_action_is_denied_is_told() -> None:
    deny = "{name: stripe-payments, actions: [create_payment]}"
    (finding,) = [one for one in findings(allowing(PAY % "") + denying(deny)) if one.code == "unreachable-rule"]
    assert "every call is denied by denied_tools[0] of acme/*/payer (line 7)" in finding.problem.message


def test_several_rules_together_may_deny_every_action() -> None:
    rule = '{name: stripe-payments, actions: ["*"], conditions: {max_amount: 5}}'
    deny = ["{name: stripe-payments, actions: [create_payment, get_payment]}", REFUND]
    assert codes(allowing(rule) + denying(*deny)).count("unreachable-rule") == 1
    assert codes(allowing(rule) + denying(*deny[:1])).count("unreachable-rule") == 0


def test_a_rule_for_all_tools_of_a_server_is_left_with_its_other_methods() -> None:
    tools = MCP.replace("{}", "{tools: {a: {}}}")
    rule = '{name: github, actions: ["*"], conditions: {max_x: 5}}'
    text = allowing(rule) + denying("{name: github, actions: [a]}")
    assert "unreachable-rule" not in codes(text, tools)
    assert "unreachable-rule" in codes(allowing(rule) + denying("{name: github, actions: ['*']}"), tools)


@pytest.mark.parametrize(
    ("agent", "dead"), [("payer", True), ("pay*", True), ('"*"', True), ("payer-2", False), ("payer-*", False)]
)
def test_a_deny_counts_where_it_covers_every_agent_of_the_rule(agent: str, dead: bool) -> None:
    other = document(denying(REFUND), agent=agent, more="name: other\n")
    assert ("unreachable-rule" in codes(f"{allowing(REFUND)}---\n{other}")) is dead


def test_a_deny_with_conditions_leaves_calls() -> None:
    deny = "{name: stripe-payments, actions: [refund], conditions: {parameters: {x: {equals: a}}}}"
    assert codes(allowing(REFUND) + denying(deny)) == []


def test_a_shadow_document_never_takes_anything_from_an_enforcing_one() -> None:
    observed = document("mode: shadow\n" + denying(REFUND), more="name: trial\n")
    assert "unreachable-rule" not in codes(f"{allowing(REFUND)}---\n{observed}")


def test_a_tool_outside_the_regions_is_out_of_reach() -> None:
    assert codes(allowing(REFUND, more="regions: [us]\n")) == ["unreachable-rule"]
    assert codes(allowing(REFUND, more="regions: [eu]\n")) == []


def test_what_one_document_takes_from_a_template_leaves_it_to_the_others() -> None:
    template = f"template: t\nallowed_tools: [{REFUND}]\n"
    narrow = "agent: a\nowner: o\nextends: t\n" + denying(REFUND)
    wide = "agent: b\nowner: o\nextends: t\n"
    assert codes(f"{template}---\n{narrow}---\n{wide}") == []
    assert codes(f"{template}---\n{narrow}") == ["unreachable-rule"]


def test_a_rule_that_contradicts_a_template_is_told_and_not_the_template() -> None:
    template = "template: t\nallowed_tools:\n  - " + PAY % ", conditions: {max_amount: 1}" + "\n"
    text = allowing(PAY % ", conditions: {min_amount: 5}", more="extends: t\n")
    (finding,) = findings(f"{template}---\n{text}")
    assert (finding.code, finding.problem.line, "(line 3)" in finding.problem.message) == ("unreachable-rule", 10, True)


def test_a_deny_of_what_nothing_allows_is_told() -> None:
    assert codes(allowing(PAY % "") + denying(REFUND)) == ["shadowed-deny"]


@pytest.mark.parametrize(("agent", "idle"), [("payer-9", False), ('"*"', False), ("buyer", True)])
def test_a_deny_matters_where_a_rule_of_any_covered_agent_allows(agent: str, idle: bool) -> None:
    org_wide = document(denying(REFUND), agent="payer-*", more="name: wide\n")
    text = f"{org_wide}---\n{allowing(REFUND, agent=agent)}"
    assert ("shadowed-deny" in codes(text)) is idle


def test_a_deny_that_another_covers_whole_is_told_and_of_two_alike_the_later_one() -> None:
    everything = "{name: stripe-payments, actions: ['*']}"
    shadowed = [
        one.problem.line
        for one in findings(allowing(REFUND) + denying(REFUND, everything))
        if one.code == "shadowed-deny"
    ]
    alike = [
        one.problem.line for one in findings(allowing(REFUND) + denying(REFUND, REFUND)) if one.code == "shadowed-deny"
    ]
    assert (shadowed, alike) == ([7], [8])


def test_a_deny_of_a_wider_document_covers_one_of_a_narrower_one_and_not_the_other_way() -> None:
    wide = document(denying(REFUND), agent='"*"', more="name: wide\n")
    lines = [
        one.problem.line
        for one in findings(f"{wide}---\n{allowing(REFUND)}{denying(REFUND)}")
        if one.code == "shadowed-deny"
    ]
    assert lines == [14]


def test_a_deny_of_a_template_that_one_document_needs_is_fine() -> None:
    template = "template: t\n" + denying(REFUND)
    idle = "agent: b\nowner: o\nextends: t\n"
    needing = (
        "agent: a\nowner: o\nextends: t\nallowed_tools: [{name: stripe-payments, actions: [refund, get_payment]}]\n"
    )
    assert codes(f"{template}---\n{needing}---\n{idle}") == []
    assert codes(f"{template}---\n{idle}") == ["shadowed-deny"]


WIDER = {"agent": '"*"', "more": "name: wide\n"}


def _both(one: str, other: str) -> list[str]:
    return codes(f"{allowing(PAY % one, **WIDER)}---\n{allowing(PAY % other)}")


def test_documents_whose_conditions_contradict_are_a_conflict() -> None:
    assert _both(", conditions: {max_amount: 1}", ", conditions: {min_amount: 5}") == ["conflict"]
    assert _both(", conditions: {max_amount: 1}", ", conditions: {min_amount: 1}") == []


def test_approvals_without_a_common_group_are_a_conflict() -> None:
    asks = ", approval: {always: true, groups: [%s]}"
    assert _both(asks % "a, b", asks % "c") == ["conflict"]
    assert _both(asks % "a, b", asks % "b, c") == []
    assert _both(asks % "a", ", conditions: {max_amount: 5}") == []


def test_two_values_of_one_header_are_a_conflict(opa: LabOpa) -> None:
    sets = ", obligations: {set_headers: [{name: x-team, value: %s}]}"
    injects = ", obligations: {inject_credentials: [{credential: c, header: x-team}]}"
    assert _both(sets % "one", sets % "two") == ["conflict"]
    assert _both(sets % "one", injects) == ["conflict"]
    assert _both(sets % "one", sets % "one") == []
    assert effects(opa, allowing(PAY % (sets % "one"), PAY % (sets % "two")), GIVEN) == {Effect.DENY}


def test_two_groups_of_agents_meet_where_one_begins_like_the_other() -> None:
    low, high = (PAY % ", conditions: {max_amount: 1}", PAY % ", conditions: {min_amount: 5}")
    assert codes(f"{allowing(low, agent='pay*')}---\n{allowing(high, agent='payer-*')}") == ["conflict"]
    assert codes(f"{allowing(low, agent='pay*')}---\n{allowing(high, agent='buy*')}") == []
