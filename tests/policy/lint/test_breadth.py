"""What is wider than it should be."""

from __future__ import annotations

import pytest

from tests.support.linting import codes, document, findings, paying

ALL = 'allowed_tools:\n  - {name: stripe-payments, actions: ["*"]%s}\n'
SHADOW = document("mode: shadow\nallowed_tools: [{name: stripe-payments, actions: [refund]}]\n", more="name: trial\n")


def test_a_rule_for_everything_is_a_warning_and_for_all_agents_an_error() -> None:
    (one,) = findings(document(ALL % ""))
    (all_agents,) = findings(document(ALL % "", agent='"*"'))
    assert (one.code, one.severity) == ("allow-everything", "warning")
    assert (all_agents.code, all_agents.severity) == ("allow-everything", "error")


@pytest.mark.parametrize(
    "more",
    [
        ", conditions: {max_amount: 3}",
        ", conditions: {context: {environment: {in: [staging]}}}",
        ", sanitize: {response: {detectors: [us_ssn]}}",
        ", approval: {always: true, groups: [g]}",
    ],
)
def test_a_rule_for_everything_that_asks_for_something_is_fine(more: str) -> None:
    assert codes(document(ALL % more)) == []


def test_a_template_for_everything_is_told_once_and_as_gravely_as_its_gravest_use() -> None:
    texts = ["template: open\n" + ALL % ""]
    texts += [f"agent: {agent}\nowner: o\nextends: open\n" for agent in ("a", '"*"', "b")]
    (finding,) = findings("---\n".join(texts))
    assert (finding.code, finding.severity, finding.problem.line) == ("allow-everything", "error", 3)


@pytest.mark.parametrize(
    ("conditions", "more"), [("approval_needed_over: 5", ""), ("max_amount: 5", "approval: {always: true}")]
)
def test_an_approval_of_anybody_is_told(conditions: str, more: str) -> None:
    assert codes(paying(conditions, more)) == ["wide-approval"]


def test_an_approval_of_a_group_is_fine() -> None:
    assert codes(paying("approval_needed_over: 5", "approval: {groups: [g]}")) == []


def test_terms_of_approval_without_groups_are_told_where_they_are_used() -> None:
    define = "define: {approvers: {quick: {expires_in: 60}}}\n---\n"
    (finding,) = findings(define + paying("approval_needed_over: 5", "approval: {approvers: quick}"))
    assert (finding.code, finding.problem.field) == ("wide-approval", "allowed_tools[0].approval")


@pytest.mark.parametrize("word", ["not: bob", "not_in: [bob]", "not_in_ranges: [10.0.0.0/8]"])
def test_a_list_of_what_is_forbidden_is_told(word: str) -> None:
    assert codes(paying(f"parameters: {{to: {{{word}}}}}")) == ["not-in-denylist"]


def test_a_list_of_forbidden_elements_or_callers_is_told() -> None:
    inner = (
        "parameters: {to: {count: {min: 1}, every: {not_in: [bob]}}}, context: {source: {not_in_ranges: [10.0.0.0/8]}}"
    )
    assert codes(paying(inner)) == ["not-in-denylist", "not-in-denylist"]


@pytest.mark.parametrize(
    "parameter",
    [
        "{not: {parameter: other}}",
        "{in_ranges: [10.0.0.0/8], not_in_ranges: [10.1.0.0/16]}",
        "[{ends_with: '@acme.com'}, {not: root@acme.com}]",
    ],
)
def test_a_list_of_what_is_forbidden_among_what_is_allowed_is_fine(parameter: str) -> None:
    assert codes(paying(f"parameters: {{to: {parameter}}}")) == []


def test_a_rule_that_denies_unless_in_a_list_is_a_list_of_what_is_allowed() -> None:
    rule = "{name: stripe-payments, actions: [refund], conditions: {parameters: {to: {not_in: [a]}}}}"
    assert (
        codes(document(f"allowed_tools: [{{name: stripe-payments, actions: [refund]}}]\ndenied_tools: [{rule}]\n"))
        == []
    )


def test_all_actions_but_some_is_a_list_of_what_is_forbidden() -> None:
    everything = ALL % ", conditions: {context: {environment: {in: [staging]}}}"
    assert codes(document(f"{everything}denied_tools: [{{name: stripe-payments, actions: [refund]}}]\n")) == [
        "not-in-denylist"
    ]


def test_a_document_without_an_owner_is_told_at_its_beginning() -> None:
    (finding,) = findings("agent: a\nallowed_tools: [{name: stripe-payments, actions: [refund]}]\n")
    assert (finding.code, finding.problem.line, finding.problem.column) == ("missing-owner", 1, 1)


def test_agents_that_are_only_observed_are_told() -> None:
    assert codes(SHADOW) == ["shadow-only"]


@pytest.mark.parametrize("agent", ["payer", "pay*", '"*"'])
def test_a_shadow_document_beside_an_enforcing_one_is_fine(agent: str) -> None:
    rule = "allowed_tools: [{name: stripe-payments, actions: [refund]}]\n"
    assert codes(f"{SHADOW}---\n{document(rule, agent=agent)}") == []


def test_an_enforcing_document_for_some_of_the_observed_agents_is_not_enough() -> None:
    rule = "allowed_tools: [{name: stripe-payments, actions: [refund]}]\n"
    observed = document("mode: shadow\n" + rule, agent="pay*")
    assert codes(f"{observed}---\n{document(rule)}") == ["shadow-only"]
