"""The decision library in a real OPA: its own tests, golden decisions, and hostile calls."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

REGO = Path(__file__).resolve().parents[2] / "rego"
MEMBERS = {"effect", "reason", "detail", "policies", "obligations", "findings", "approval", "would", "limits"}


def run(opa_binary: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([opa_binary, *arguments, REGO], capture_output=True, text=True, timeout=60, check=False)


def test_the_librarys_own_tests_pass(opa_binary: Path) -> None:
    done = run(opa_binary, "test", "--fail-on-empty")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_librarys_tests_reach_every_line_of_it(opa_binary: Path) -> None:
    done = run(opa_binary, "test", "--threshold", "100")
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_library_passes_strict_checks_and_is_formatted(opa_binary: Path) -> None:
    checked = run(opa_binary, "check", "--strict")
    assert checked.returncode == 0, checked.stderr
    assert run(opa_binary, "fmt", "--list").stdout == ""


def call(agent: str, kind: str, tool: str, action: str, parameters: dict[str, Any], **resource: Any) -> dict[str, Any]:
    return {
        "subject": {
            "type": "agent",
            "id": f"acme/emea/{agent}",
            "properties": {"org": "acme", "tenant": "emea", "agent": agent, "actors": []},
        },
        "action": {"name": action, "properties": parameters},
        "resource": {
            "type": kind,
            "id": tool,
            "properties": {"host": "h.example", "port": None, "method": "POST", "path": "/", **resource},
        },
        "context": {"time": 1767225600500000000, "environment": "test", "source": "192.0.2.1"},
    }


def pay(parameters: dict[str, Any], agent: str = "finance-agent") -> dict[str, Any]:
    return call(agent, "http", "stripe-payments", "create_payment", parameters)


def to(agent: str, host: str) -> dict[str, Any]:
    return call(agent, "unclaimed", "", "", {}, host=host)


def mcp(name: str, kind: str = "mcp_tool") -> dict[str, Any]:
    return call("coding-agent", kind, "github", name, {})


def deploy(environment: str) -> dict[str, Any]:
    return call("deploy-agent", "http", "deploys", "deploy", {"environment": environment})


REDACTIONS = [
    {"kind": "redact", "target": "request", "detectors": ["date_of_birth", "us_ssn"], "fields": []},
    {"kind": "redact", "target": "response", "detectors": ["date_of_birth", "us_ssn"], "fields": ["/patient/notes"]},
]
GOLDEN: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (pay({"amount": 4200}), {"effect": "allow", "reason": "ALLOWED", "policies": ["acme/emea/finance-agent"], "would": None}),
    (pay({"amount": 5000}), {"effect": "allow"}),
    (
        pay({"amount": 7000}),
        {
            "effect": "approval_needed",
            "reason": "APPROVAL_NEEDED",
            "approval": {"groups": ["finance-approvers"], "expires_in": 900},
            "findings": [{"parameter": "amount", "condition": "approval_needed_over", "limit": 5000, "seen": 7000}],
        },
    ),
    (
        pay({"amount": 50000}),
        {
            "effect": "deny",
            "reason": "POLICY_DENIED",
            "approval": None,
            "detail": "acme/emea/finance-agent: amount max",
            "findings": [{"parameter": "amount", "condition": "max", "limit": 10000, "seen": 50000}],
        },
    ),
    (pay({"amount": 10000.01}), {"effect": "deny"}),
    (pay({"amount": -1}), {"effect": "deny", "findings": [{"parameter": "amount", "condition": "min", "limit": 0, "seen": -1}]}),
    (pay({}), {"effect": "deny", "reason": "PARAMETER_MISSING"}),
    (pay({"amount": "4200"}), {"effect": "deny", "reason": "PARAMETER_TYPE"}),
    (pay({"amount": True}), {"effect": "deny", "reason": "PARAMETER_TYPE"}),
    (pay({"amount": None}), {"effect": "deny", "reason": "PARAMETER_TYPE"}),
    (pay({"amount": [1]}), {"effect": "deny", "reason": "PARAMETER_TYPE"}),
    (call("finance-agent", "http", "stripe-payments", "get_payment", {"id": "p1"}), {"effect": "allow"}),
    (call("finance-agent", "http", "stripe-payments", "refund", {}), {"effect": "deny", "reason": "POLICY_DENIED"}),
    (call("finance-agent", "http", "ehr", "read_record", {}), {"effect": "deny", "reason": "POLICY_DENIED"}),
    (to("finance-agent", "api.openai.com"), {"effect": "deny", "reason": "TOOL_UNKNOWN"}),
    (to("finance-agent", "hooks.slack.com"), {"effect": "deny", "reason": "TOOL_UNKNOWN"}),
    (to("finance-agent", "slack.com"), {"effect": "deny", "reason": "EGRESS_DENIED"}),
    (to("finance-agent", "xslack.com"), {"effect": "deny", "reason": "EGRESS_DENIED"}),
    (to("finance-agent", "evil.example"), {"effect": "deny", "reason": "EGRESS_DENIED"}),
    (to("observer-agent", "evil.example"), {"effect": "deny", "reason": "EGRESS_DENIED"}),
    (to("stranger", "api.openai.com"), {"effect": "deny", "reason": "POLICY_ABSENT"}),
    (call("clinic-agent", "http", "ehr", "read_record", {"id": "1"}), {"effect": "sanitize", "reason": "SANITIZED", "obligations": REDACTIONS}),
    (mcp("list_issues"), {"effect": "allow"}),
    (mcp("delete_repository"), {"effect": "deny", "reason": "POLICY_DENIED"}),
    (mcp("initialize", "mcp_session"), {"effect": "allow", "reason": "ALLOWED"}),
    (mcp("notifications/initialized", "mcp_session"), {"effect": "allow"}),
    (
        mcp("tools/list", "mcp_session"),
        {"effect": "sanitize", "obligations": [{"kind": "filter_tools", "allowed": ["create_issue", "list_issues"]}]},
    ),
    (mcp("resources/read", "mcp_session"), {"effect": "deny", "reason": "POLICY_DENIED"}),
    (deploy("staging"), {"effect": "allow"}),
    (
        deploy("production"),
        {
            "effect": "approval_needed",
            "approval": {"groups": ["release-approvers"], "expires_in": 900},
            "findings": [
                {"parameter": "environment", "condition": "approval_needed_in", "limit": ["production"], "seen": "production"}
            ],
        },
    ),
    (deploy("Production"), {"effect": "deny"}),
    (pay({"amount": 99}, "observer-agent"), {"effect": "allow", "reason": "SHADOWED", "would": "allow"}),
    (pay({"amount": 101}, "observer-agent"), {"effect": "allow", "reason": "SHADOWED", "would": "deny", "findings": []}),
    (pay({"amount": 1}, "stranger"), {"effect": "deny", "reason": "POLICY_ABSENT", "policies": []}),
]  # fmt: skip


def test_golden_decisions_hold_alone_and_in_one_batch(opa: Any) -> None:
    batch = opa.ask([asked for asked, _ in GOLDEN])
    assert len(batch) == len(GOLDEN)
    for (asked, expected), decision in zip(GOLDEN, batch, strict=True):
        assert decision.keys() == MEMBERS
        assert {name: decision[name] for name in expected} == expected, asked
        assert opa.ask([asked]) == [decision]


@pytest.mark.parametrize(
    ("seen", "effect"),
    [
        (9007199254740993, "deny"),
        (9007199254740992, "deny"),
        (10000.000000000002, "deny"),
        (1e-300, "allow"),
        (0, "allow"),
    ],
)
def test_numbers_are_compared_exactly(opa: Any, seen: float, effect: str) -> None:
    (decision,) = opa.ask([pay({"amount": seen})])
    assert decision["effect"] == effect


_ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@st.composite
def mangled_calls(draw: st.DrawFn) -> Any:
    """A good call of which some part is replaced by anything."""
    asked = call(
        draw(st.sampled_from(["finance-agent", "clinic-agent", "coding-agent", "stranger"])),
        draw(st.sampled_from(["http", "mcp_tool", "mcp_session", "unclaimed"])),
        draw(st.sampled_from(["stripe-payments", "github", "ehr", ""])),
        draw(st.sampled_from(["create_payment", "tools/list", "read_record", "*"])),
        {"amount": draw(_ANY_JSON)},
    )
    path = draw(
        st.sampled_from(
            [
                ["subject"], ["action"], ["resource"], ["subject", "properties"], ["subject", "properties", "org"],
                ["subject", "properties", "agent"], ["action", "name"], ["action", "properties"], ["resource", "type"],
                ["resource", "id"], ["resource", "properties"], ["resource", "properties", "host"],
            ]
        )
    )  # fmt: skip
    inner: Any = asked
    for part in path[:-1]:
        inner = inner[part]
    inner[path[-1]] = draw(_ANY_JSON)
    return draw(st.sampled_from([asked, inner[path[-1]]]))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(mangled_calls(), min_size=1, max_size=8))
def test_mangled_calls_each_get_a_decision_and_leave_their_mates_alone(opa: Any, calls: list[Any]) -> None:
    good, expected = pay({"amount": 4200}), "allow"
    decisions = opa.ask([good, *calls, good])
    assert len(decisions) == len(calls) + 2
    assert (decisions[0]["effect"], decisions[-1]["effect"]) == (expected, expected)
    for decision in decisions:
        assert decision.keys() == MEMBERS
        assert decision["effect"] in {"allow", "sanitize", "approval_needed", "deny"}


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(_ANY_JSON)
def test_only_a_small_enough_number_is_ever_allowed(opa: Any, amount: Any) -> None:
    (decision,) = opa.ask([pay({"amount": amount})])
    is_number = isinstance(amount, int | float) and not isinstance(amount, bool)
    assert (decision["effect"] == "allow") == (is_number and 0 <= amount <= 5000)
