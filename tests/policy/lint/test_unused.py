"""What nothing uses."""

from __future__ import annotations

import pytest

from tests.support.linting import MCP, TOOL, codes, document, findings, paying

DEFINE = """\
define:
  lists: {payees: [a], days: [2030-01-01]}
  patterns: {iban: "[A-Z]+"}
  time_windows: {office: {holidays: {list: days}}}
  approvers: {finance: {groups: [g]}}
  detectors: {ids: [us_ssn]}
---
"""
USES = {
    "lists.payees": "parameters: {payee: {in: {list: payees}}}",
    "patterns.iban": "parameters: {iban: {matches: {pattern: iban}}}",
    "time_windows.office": "context: {time: {not_within: [office]}}",
}


def _unused(text: str) -> set[str]:
    return {one.problem.field for one in findings(text) if one.code == "unused-definition"}


def test_each_definition_that_nothing_uses_is_told() -> None:
    names = {"lists.payees", "patterns.iban", "time_windows.office", "approvers.finance", "detectors.ids"}
    assert _unused(DEFINE + paying("max_amount: 5")) == {f"define.{name}" for name in names}


@pytest.mark.parametrize("name", USES)
def test_a_definition_that_a_condition_uses_is_fine(name: str) -> None:
    assert f"define.{name}" not in _unused(DEFINE + paying(USES[name]))


def test_definitions_that_the_rest_of_a_rule_uses_are_fine() -> None:
    more = "approval: {always: true, approvers: finance}, sanitize: {request: {detectors: [ids]}}"
    assert _unused(DEFINE + paying("max_amount: 5", more)) == {
        "define.lists.payees",
        "define.patterns.iban",
        "define.time_windows.office",
    }


def test_a_definition_that_a_template_uses_is_fine() -> None:
    template = paying(USES["lists.payees"]).replace("agent: payer\norg: acme\nowner: payments\n", "template: t\n")
    assert "define.lists.payees" not in _unused(DEFINE + template)


def test_a_template_that_nothing_extends_is_told() -> None:
    template = "template: t\nallowed_tools: [{name: stripe-payments, actions: [refund]}]\n---\n"
    assert codes(template + paying("max_amount: 5")) == ["unused-template"]
    assert codes(template + document("extends: t\n")) == []


def test_a_tool_that_no_rule_names_is_told() -> None:
    (finding,) = findings(paying("max_amount: 5"), f"{TOOL}---\n{MCP}")
    assert (finding.code, finding.problem.path, finding.problem.field) == ("unused-tool", "t.yaml", "tool")


def test_a_tool_that_only_a_rule_denies_is_named() -> None:
    text = document("allowed_tools: [{name: github, actions: ['*'], conditions: {max_x: 1}}]\n")
    assert codes(text, MCP) == []


def test_named_tools_of_a_server_that_lists_none_are_told_once() -> None:
    text = document("allowed_tools: [{name: github, actions: [a]}, {name: github, actions: [b]}]\n")
    (finding,) = findings(text, MCP)
    assert (finding.code, finding.problem.path, finding.problem.line) == ("unlisted-mcp-tools", "t.yaml", 3)
    assert codes(text, MCP.replace("{}", "{tools: {a: {}, b: {}}}")) == []


def test_named_tools_in_limits_of_a_server_that_lists_none_are_told_too() -> None:
    limits = "limits:\n  - {tools: [github], actions: [merge, tools/list], count: 9/day}\n"
    allowing = document("allowed_tools: [{name: github, actions: ['*']}]\n" + limits)
    (finding,) = [finding for finding in findings(allowing, MCP) if finding.code == "unlisted-mcp-tools"]
    assert finding.problem.message.endswith("in rules and limits ('merge')")
    assert "unlisted-mcp-tools" not in codes(allowing, MCP.replace("{}", "{tools: {merge: {}}}"))


def test_methods_of_the_protocol_need_no_list() -> None:
    rules = "allowed_tools: [{name: github, actions: [tools/list, initialize]}]\n"
    assert codes(document(rules + "limits: [{tools: [github], actions: ['*'], count: 9/day}]\n"), MCP) == []
