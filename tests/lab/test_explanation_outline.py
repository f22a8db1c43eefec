"""Outlines of explanations, which a terminal and a page draw; `cli/policy/test_explain.py` reads whole ones."""

from __future__ import annotations

import pytest

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.explanation import Explanation, LookedAtCondition, LookedAtDocument, LookedAtRule
from aegis_authz.lab.explanation_outline import Branch, Span, decision_lines, narrowing_lines, outline
from aegis_authz.lab.grants import LookedAtNarrowing, LookedAtValue
from aegis_authz.lab.met_limits import MetLimit


def test_each_part_of_a_grant_says_whether_it_lets_the_call_through() -> None:
    values = (
        LookedAtValue("payee", ("ACME", 1), "Evil", True, False),
        LookedAtValue("sum", (True,), None, False, False),
    )
    assert list(narrowing_lines(LookedAtNarrowing(False, True, True, values))) == [
        (True, "it has not ended"),
        (True, "lists the tool"),
        (True, "lists the action"),
        (False, 'payee one of ["ACME", 1]: seen "Evil"'),
        (False, "sum one of [true]: it is not there"),
    ]
    assert list(narrowing_lines(LookedAtNarrowing(True, False, False, ()))) == [
        (False, "it has ended"),
        (False, "does not list the tool"),
    ]


CALL = TriedCall(agent="acme/emea/payer", tool="payments-api", action="pay", parameters={"amount": 500, "most": 100})
AMOUNT = LookedAtCondition("amount", "max", {"parameter": "most"}, 500, True, "failed", "deny", 14)


def explanation(*rules: LookedAtRule, outside: bool = False, limits: tuple[MetLimit, ...] = ()) -> Explanation:
    document = LookedAtDocument("paying", "enforce", ("eu",), outside, "agents.yaml", 5, rules)
    refused = Refused(Reason.REQUEST_UNREADABLE, "")
    return Explanation(CALL, refused, (document,), (LookedAtNarrowing(False, True, True, ()),), limits)


def text(branch: Branch) -> str:
    return "".join(span.text for span in branch.spans)


def test_a_call_is_an_outline_of_its_grants_documents_rules_and_conditions() -> None:
    rule = LookedAtRule("allowed_tools[0]", False, "deny", "agents.yaml", 11, (AMOUNT,))
    root = outline(explanation(rule), {})
    grant, document = root.branches

    assert text(root) == "acme/emea/payer: payments-api pay"
    assert [text(line) for line in grant.branches] == ["it has not ended", "lists the tool", "lists the action"]
    assert text(document) == "paying enforce  agents.yaml:5"
    [listed] = document.branches
    assert text(listed) == "allowed_tools[0]: deny  agents.yaml:11"
    [condition] = listed.branches
    assert condition.state == "failed"
    assert text(condition) == "amount max the parameter most, 100: seen 500 -> deny  line 14"
    assert Span("deny", "effect") in condition.spans
    assert [(span.file, span.line) for span in condition.spans if span.file] == [("agents.yaml", 14)]
    assert [(span.file, span.line) for span in listed.spans if span.file] == [("agents.yaml", 11)]


def test_what_an_agent_wrote_has_no_control_characters_in_an_outline() -> None:
    hostile = LookedAtCondition("a\x1bb", "in", ["\x07"], "\u202e", True, "failed", "deny", 1)
    root = outline(explanation(LookedAtRule("allowed_tools[0]", False, "deny", "a\n.yaml", 1, (hostile,))), {})
    [condition] = root.branches[1].branches[0].branches

    assert text(condition).isprintable()
    assert text(root.branches[1].branches[0]).isprintable()


@pytest.mark.parametrize(("standings", "stands"), [({}, ""), ({"l1": "3 of 5 used"}, ": 3 of 5 used")])
def test_a_limit_says_how_it_stands_where_that_is_known(standings: dict[str, str], stands: str) -> None:
    limit = MetLimit("l1", "paying", "daily", "max_calls", "agent", "deny", "agents.yaml", 9)
    root = outline(explanation(limits=(limit,)), standings)
    lines = [text(branch) for branch in root.branches[1].branches]

    assert lines == [
        "no rule lists the action",
        f"limit: daily, each agent by itself, else deny{stands}  agents.yaml:9",
    ]


def test_a_tool_outside_of_a_documents_regions_is_told_first() -> None:
    first, _ = outline(explanation(outside=True), {}).branches[1].branches
    assert (first.state, text(first)) == ("failed", "the tool is in none of the regions eu -> deny")


def test_a_decision_that_cannot_be_read_has_nothing_beside_its_effect() -> None:
    assert [*decision_lines(explanation())] == []
