"""Tools that are passed through unopened: how they are written, and who forbids them."""

from __future__ import annotations

from typing import Any

import pytest

from aegis_authz.policy.compile.compiler import compile_policy
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors
from tests.support.forms import written_out

PINNED = "tool: pinned\nhost: pinned.example\ntls: passthrough\n"
ALLOW = "org: acme\ntenant: emea\nagent: bot\nallowed_tools:\n  - {name: pinned, actions: [connect]}\n"
DENY = "org: acme\nagent: '*'\negress: {opaque: deny}\n"


def test_a_tool_that_is_passed_through_has_one_action_and_a_place() -> None:
    (tool,) = load({}, {"t.yaml": PINNED}).tools
    assert (tool.is_opaque, tool.place.port, [action.name for action in tool.actions]) == (True, 443, ["connect"])
    (elsewhere,) = load({}, {"t.yaml": PINNED + "upstream: https://10.0.0.7:8443\n"}).tools
    assert elsewhere.place == ("tls", "10.0.0.7", 8443)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (PINNED + "mcp: {}\n", "neither actions nor mcp"),
        (PINNED + "upstream: http://10.0.0.7\n", "speaks TLS"),
        ("tool: t\nhost: t.example\n", "either actions"),
        (PINNED + "---\ntool: u\nhost: pinned.example\nmcp: {}\n", "passed through unopened"),
    ],
)
def test_what_nobody_could_judge_is_refused(text: str, problem: str) -> None:
    with pytest.raises(PolicyErrors, match=problem):
        load({}, {"t.yaml": text})


def test_no_rule_names_another_action_of_it() -> None:
    with pytest.raises(PolicyErrors, match="pay"):
        load({"p.yaml": ALLOW.replace("connect", "pay")}, {"t.yaml": PINNED})


def denied(policies: dict[str, str], trust: Any) -> dict[str, Any]:
    loaded = load(policies, {"t.yaml": PINNED})
    scopes = written_out(compile_policy(loaded.compiled, loaded.tools, trust, "").data["aegis"]["policies"])  # type: ignore[index,call-overload]
    return {scope: modes["enforce"][0]["denied"] for scope, modes in scopes.items()} | {
        "plain": scopes["acme/emea/bot"]["plain"]
    }


def test_a_document_forbids_them_for_all_whom_it_covers(trust: Any) -> None:
    before, after = denied({"p.yaml": ALLOW}, trust), denied({"p.yaml": ALLOW, "d.yaml": DENY}, trust)
    assert (before["acme/emea/bot"], before["plain"]["pinned"].keys()) == ({}, {"connect"})
    (rule,) = after["acme/*/*"]["pinned"]["connect"]
    assert (rule["label"], rule["values"]) == ("egress.opaque: deny", [])
    assert after["plain"] == {}
