"""Documents pasted without their indentation: one clear message instead of another meaning."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors, Problem

TOOL = """\
tool: stripe-payments
host: api.stripe.example
actions:
  create_payment:
    match: POST /v1/payments
    parameters:
      amount:
        from: /amount
        type: number
"""
PUBLIC = """\
agent: finance-agent
allowed_tools:
  - name: stripe-payments
    actions:
      - create_payment
    conditions:
      max_amount: 5000
      approval_needed_over: 5000
"""
LONG = """\
agent: finance-agent
allowed_tools:
  - name: stripe-payments
    actions:
      - create_payment
    conditions:
      parameters:
        amount:
          min: 1
          max: 5000
      context:
        environment:
          equals: production
    sanitize:
      response:
        fields:
          - /notes
    approval:
      always: true
      groups:
        - finance
    obligations:
      set_headers:
        - name: x-team
          value: pay
denied_tools:
  - name: stripe-payments
    actions:
      - refund
egress:
  default: deny
  allow:
    - api.openai.com
"""
DEFINE = """\
define:
  lists:
    suppliers:
      - ACME
  time_windows:
    office:
      zone: UTC
"""


def only(policy: str, tool: str = TOOL) -> Problem:
    with pytest.raises(PolicyErrors) as caught:
        load({"p.yaml": policy}, {"t.yaml": tool})
    (problem,) = caught.value.problems
    return problem


def flat(text: str) -> str:
    return "\n".join(line.lstrip() for line in text.split("\n"))


def test_the_public_example_without_its_indentation_is_refused_in_one_message() -> None:
    assert str(only(flat(PUBLIC))).splitlines() == [
        "p.yaml:4:1: actions: the indentation is lost: 'actions' stands at the top level and belongs inside a rule of "
        + "'allowed_tools'; put spaces before it and before what belongs to it",
        "  3 | - name: stripe-payments",
        "  4 | actions:",
        "    | ^^^^^^^",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (PUBLIC.replace("      max", "    max"), "7:5: 'max_amount' stands beside 'conditions' and belongs inside it"),
        (PUBLIC.replace("      app", "    app"), "8:5: 'approval_needed_over' stands beside 'conditions' and belongs"),
        (LONG.replace("        amount", "      amount"), None),
        (PUBLIC.replace("    conditions:\n      max", "conditions:\n  max").replace("      app", "  app"),
         "6:1: 'conditions' stands at the top level and belongs inside a rule of 'allowed_tools'"),
        (LONG.replace("          min", "        min").replace("          max", "        max"),
         "9:9: 'min' stands beside 'amount' and belongs inside it"),
        (LONG.replace("        environment:", "      environment:").replace("          equals", "        equals"), None),
        (LONG.replace("          equals", "        equals"), "13:9: 'equals' stands beside 'environment'"),
        (LONG.replace("        fields:", "      fields:").replace("          - /n", "        - /n"),
         "16:7: 'fields' stands beside 'response' and belongs inside it"),
        (LONG.replace("  default", "default").replace("  allow:", "allow:").replace("    - api", "  - api"),
         "31:1: 'default' stands at the top level and belongs inside 'egress'"),
    ],
)  # fmt: skip
def test_what_stands_too_far_out_is_shown(text: str, expected: str | None) -> None:
    problem = only(text)
    assert "indentation" in problem.message
    if expected is not None:
        assert f"{problem.line}:{problem.column}: {problem.message}".replace(
            "the indentation is lost: ", ""
        ).startswith(expected)


def test_parameters_of_a_rule_one_level_too_high() -> None:
    text = PUBLIC.replace("      max_amount: 5000\n", "      parameters:\n      amount: {max: 5}\n")
    assert only(text).message.startswith("the indentation is lost: 'amount' stands beside 'parameters' and belongs")


@pytest.mark.parametrize("text", [PUBLIC, LONG, LONG + "---\n" + PUBLIC, DEFINE, "template: t\n" + PUBLIC[21:]])
def test_every_document_without_any_indentation_is_told_so(text: str) -> None:
    with pytest.raises(PolicyErrors) as caught:
        load({"p.yaml": flat(text)}, {"t.yaml": TOOL})
    assert len(caught.value.problems) == text.count("---\n") + 1
    assert all("indentation" in problem.message for problem in caught.value.problems)


def test_a_tool_without_its_indentation_is_told_so() -> None:
    problem = only("agent: a\n", flat(TOOL))
    assert (problem.path, problem.line) == ("t.yaml", 4)
    assert problem.message.startswith(
        "the indentation is lost: 'create_payment' stands at the top level and belongs inside 'actions'"
    )


def test_several_rules_without_indentation_are_no_yaml_and_still_one_message_about_indentation() -> None:
    assert only(flat(PUBLIC + "  - name: stripe-payments\n    actions: [refund]\n")).line == 4


@pytest.mark.parametrize("line", range(1, 8))
def test_one_line_that_lost_its_indentation_is_found(line: int) -> None:
    lines = PUBLIC.splitlines()
    lines[line] = lines[line].lstrip()
    if line == 1 or lines == PUBLIC.splitlines():
        return
    with pytest.raises(PolicyErrors) as caught:
        load({"p.yaml": "\n".join(lines)}, {"t.yaml": TOOL})
    assert len(caught.value.problems) == 1
    assert "indentation" in caught.value.problems[0].message


def test_tabs_as_indentation_are_named() -> None:
    problem = only(PUBLIC.replace("    ", "\t"))
    assert (problem.line, problem.message) == (4, "tabs are not allowed in the indentation; use spaces")
    assert only("agent:\ta\n").message == "tabs are not allowed; use spaces"


def test_a_flow_mapping_has_no_indentation_to_lose() -> None:
    problem = only("{agent: a, allowed_tools: [], actions: [x]}")
    assert problem.message.startswith("unknown key 'actions'")


def test_a_typing_mistake_is_no_lost_indentation() -> None:
    assert only(PUBLIC.replace("conditions:", "condition:")).message == (
        "unknown key 'condition'; did you mean 'conditions'?"
    )


@given(st.lists(st.integers(0, 3), min_size=8, max_size=8))
def test_a_mangled_example_is_refused_or_means_what_the_example_means(cuts: list[int]) -> None:
    """However much of the indentation is lost, nothing with another meaning is loaded."""
    lines = [
        line[min(2 * cut, len(line) - len(line.lstrip())) :]
        for line, cut in zip(PUBLIC.splitlines(), cuts, strict=True)
    ]
    try:
        loaded = load({"p.yaml": "\n".join(lines)}, {"t.yaml": TOOL})
    except PolicyErrors as errors:
        assert len(errors.problems) == 1, str(errors)
        assert "indentation" in errors.problems[0].message, str(errors)
    else:
        assert loaded.policies == load({"p.yaml": PUBLIC}, {"t.yaml": TOOL}).policies
