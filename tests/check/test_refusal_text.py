"""What an agent is told of a refusal."""

from __future__ import annotations

import pytest

from aegis_authz.check.refusal_text import sentence, shown_findings
from aegis_authz.core.decision import Decision, Finding
from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.policy.language.operators import PHRASES


def denial(*findings: Finding) -> Decision:
    return Decision(
        effect=Effect.DENY,
        reason=Reason.POLICY_DENIED,
        detail="",
        policies=("p",),
        revision="r",
        obligations=(),
        findings=findings,
        approval=None,
        would=None,
        fault=None,
        limits=(),
    )


@pytest.mark.parametrize(
    ("parameter", "condition", "limit", "seen", "told"),
    [
        ("amount", "max", 10000, 50000, "Seen: amount is 50000; allowed is at most 10000."),
        ("amount", "max", {"parameter": "limit"}, 9, "Seen: amount is 9; allowed is at most the parameter limit."),
        ("memo", "length", {"max": 3}, "abcd", "Seen: memo is abcd; allowed is of a length of at most 3."),
        ("to", "count", {"min": 1, "max": 2}, None, "Seen: allowed is a list of at least 1 and at most 2."),
        ("url", "url_host_in", ["*.bank.com"], None, "Seen: allowed is a URL of a host among *.bank.com."),
        ("to", "every", {"in": ["ACME"]}, None, "Seen: allowed is a list of which every element is one of ACME."),
        ("memo", "exists", False, "x", "Seen: memo is x; allowed is leaving it out."),
        ("amount", "max", None, None, "The parameter amount does not meet the condition 'max'."),
        ("amount", "missing", None, None, "The parameter amount is required."),
        ("amount", "type", "number", "string", "The parameter amount must be of type number, and is of type string."),
        ("amount", "type", None, None, "The parameter amount is of another type than policy judges."),
        (
            "context.time",
            "within",
            ["office-hours"],
            1767261600 * 10**9,
            "Seen: context.time is 2026-01-01T10:00:00+00:00; allowed is within office-hours.",
        ),
        ("context.token_age", "max", None, None, "The call's token_age does not meet the condition 'max'."),
        ("context.on_behalf_of", "missing", None, None, "The call's on_behalf_of is required."),
    ],
)
def test_a_finding_is_told_as_far_as_policy_tells_it(
    parameter: str, condition: str, limit: Json, seen: Json, told: str
) -> None:
    assert told in sentence(denial(Finding(parameter, condition, limit, seen)), None, None, PHRASES, [], None)


def test_which_rule_denied_is_not_for_the_caller() -> None:
    decision = denial(Finding("denied_tools[0]", "denied", None, None))
    assert shown_findings(decision) == ()
    assert "denied_tools" not in sentence(decision, None, None, PHRASES, [], None)


def test_a_condition_without_a_phrase_is_told_by_its_name() -> None:
    decision = denial(Finding("amount", "max", 10000, 50000))
    assert "does not meet the condition 'max'" in sentence(decision, None, None, {}, [], None)
