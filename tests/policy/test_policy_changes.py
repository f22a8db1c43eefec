"""Differences between policies are those of their rules, and not those of their files."""

from __future__ import annotations

import yaml

from aegis_authz.policy.load import load
from aegis_authz.policy.policy_changes import PolicyChange, policy_changes

TOOL = """\
tool: payments
host: pay.example
actions:
  pay:
    match: POST /pay
    parameters: {amount: {type: number, from: /amount}, payee: {type: string, from: /payee}}
  refund: {match: POST /refund}
"""
BEFORE = """\
agent: payer
name: paying
# at most what a clerk may
allowed_tools:
- name: payments
  actions: [pay]
  conditions:
    max_amount: 5000
    parameters: {payee: {in: [ACME, Globex]}}
"""


def changes(before: str, after: str) -> list[PolicyChange]:
    old, new = (load({"policy.yaml": text}, {"tool.yaml": TOOL}).compiled for text in (before, after))
    return [*policy_changes(old, new)]


def lines(before: str, after: str) -> list[str]:
    return [f"{change.mark} {change.at}: {change.sentence}" for change in changes(before, after)]


def test_a_raised_threshold_is_told_in_the_words_of_its_rule() -> None:
    assert changes(BEFORE, BEFORE.replace("5000", "7000")) == [
        PolicyChange("~", "paying", "allows payments: pay", "amount max 5000 -> amount max 7000")
    ]


def test_comments_order_and_layout_are_no_difference() -> None:
    document = yaml.safe_load(BEFORE)
    assert changes(BEFORE, yaml.safe_dump(document, sort_keys=True, default_flow_style=True)) == []


def test_what_is_taken_over_from_a_template_differs_where_the_template_does() -> None:
    template = "template: shared\nallowed_tools:\n- name: payments\n  actions: [pay]\n  conditions: {max_amount: 5}\n"
    policy = f"{template}---\nagent: payer\nname: paying\nextends: shared\n"
    assert changes(policy, policy.replace("max_amount: 5", "max_amount: 6")) == [
        PolicyChange("~", "paying", "allows payments: pay", "amount max 5 -> amount max 6")
    ]


def test_rules_that_come_and_go_say_what_they_ask() -> None:
    rule = "denied_tools:\n- name: payments\n  actions: [refund, pay]\n"
    assert lines(BEFORE, BEFORE + rule) == ["+ denies payments: pay, refund: rule: no conditions"]
    assert lines(BEFORE + rule, BEFORE) == ["- denies payments: pay, refund: rule: no conditions"]


def test_conditions_that_come_and_go_are_told_one_by_one() -> None:
    after = BEFORE.replace("    max_amount: 5000\n", "    approval_needed_over: 10\n")
    assert "- allows payments: pay: amount max 5000" in lines(BEFORE, after)
    assert any(
        line.startswith("+ allows payments: pay: amount") and "approval_needed" in line for line in lines(BEFORE, after)
    )


def test_what_a_rule_demands_besides_differs_by_its_words() -> None:
    before = BEFORE.rstrip() + "\n  approval: {groups: [finance], always: true}\n"
    after = before.replace("[finance]", "[treasury]")
    assert lines(before, after) == ['~ allows payments: pay: approval.groups: ["finance"] -> ["treasury"]']


def test_two_rules_about_the_same_are_told_apart_by_their_number() -> None:
    twice = BEFORE + "- name: payments\n  actions: [pay]\n  conditions: {max_amount: 9}\n"
    assert lines(twice, twice.replace("max_amount: 9", "max_amount: 8")) == [
        "~ allows payments: pay (rule 2): amount max 9 -> amount max 8"
    ]


def test_policies_that_come_and_go_say_whom_they_are_about() -> None:
    second = "---\nagent: reader\nname: reading\n"
    assert changes(BEFORE, BEFORE + second) == [PolicyChange("+", "reading", "", "policy for */*/reader")]
    assert changes(BEFORE + second, BEFORE) == [PolicyChange("-", "reading", "", "policy for */*/reader")]


def test_mode_scope_hosts_and_limits_differ_each_by_itself() -> None:
    after = BEFORE.replace("agent: payer", "org: acme\nagent: payer\nmode: shadow") + (
        "egress: {allow: [api.example]}\nlimits:\n- name: daily\n  count: {max: 5, per: day}\n"
    )
    assert lines(BEFORE, after)[:3] == [
        "~ : scope: */*/payer -> acme/*/payer",
        "~ : mode: none -> shadow",
        "+ egress: api.example",
    ]
    assert lines(BEFORE, after)[3].startswith("+ limit daily: ")
    assert any("count" in line for line in lines(after, after.replace("max: 5", "max: 6")))


def test_what_is_only_for_people_is_no_difference() -> None:
    assert changes(BEFORE, BEFORE + "owner: somebody\ndescription: pays\n") == []
