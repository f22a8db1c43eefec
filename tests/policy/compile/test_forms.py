"""Scopes share forms: each form once, each text with the scope whose it is, and no call is decided otherwise."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aegis_authz.policy.compile.compiler import compile_policy
from aegis_authz.policy.compile.forms import shared_forms
from aegis_authz.policy.compile.rules import compiled_document
from aegis_authz.policy.language.document import PolicyDocument
from tests.support.forms import unshared, written_out

REGO = Path(__file__).resolve().parents[3] / "rego"
BUDGET = {"tools": ["bank"], "budget": {"amount": 5, "currency": "EUR", "per": "day", "of": {"parameter": "amount"}}}


def document(agent: str, **members: Any) -> dict[str, Any]:
    rule = {"name": "bank", "actions": ["pay"], "conditions": {"max_amount": 5}, "rate_limit": "3/s"}
    return {"org": "o", "tenant": "t", "agent": agent, "allowed_tools": [rule], **members}


def policies_of(trust: Any, *documents: dict[str, Any]) -> Any:
    compiled = [compiled_document(PolicyDocument.model_validate(raw)) for raw in documents]
    data: Any = compile_policy(compiled, [], trust, "").data
    return data["aegis"]["policies"]


def test_agents_whose_documents_differ_in_names_and_limits_alone_share_a_form(trust: Any) -> None:
    limited = {"limits": [BUDGET, {"count": {"max": 9, "per": "day"}}]}
    documents = [document(f"a{number}", **limited) for number in range(20)]
    policies = policies_of(trust, *documents, document("a", name="mine", **limited))
    assert len(policies["forms"]) == 1
    assert {tuple(map(type, own)) for own in policies["scopes"].values()} == {(int, str, str, str, str, list, list)}
    assert policies["scopes"]["o/t/a"][1] == "mine"


def test_what_a_condition_asks_is_the_forms(trust: Any) -> None:
    other = document("c", allowed_tools=[{"name": "bank", "actions": ["pay"], "conditions": {"max_amount": 6}}])
    assert len(policies_of(trust, document("a"), document("b"), other)["forms"]) == 2


def test_documents_of_a_wider_scope_do_not_keep_agents_from_sharing(trust: Any) -> None:
    policies = policies_of(trust, document("a"), document("b"), document("*", name="house"))
    assert len(policies["forms"]) == 2
    plain = written_out(policies)["o/t/b"]["plain"]["bank"]["pay"]
    assert (plain["policies"], len(plain["limits"])) == (["house", "o/t/b"], 2)


def test_forms_do_not_depend_on_the_order_of_documents_or_tools(trust: Any) -> None:
    rules = [{"name": name, "actions": [action], "count": "1/day"} for name in ("x", "y") for action in ("get", "put")]
    documents = [document(agent, allowed_tools=rules[turn:] + rules[:turn]) for turn, agent in enumerate("abcd")]
    first, second = policies_of(trust, *documents), policies_of(trust, *reversed(documents))
    assert json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)


def test_what_is_not_compiled_is_refused() -> None:
    for node in (
        {"enforce": [{"name": 1}], "shadow": []},
        {"enforce": {}, "shadow": []},
        {"enforce": [1], "shadow": []},
    ):
        with pytest.raises(TypeError, match="not a"):
            shared_forms({"o/t/a": node})  # type: ignore[dict-item]  # what no compiler writes


LIMITS = st.lists(st.sampled_from([BUDGET, {"count": {"max": 9, "per": "day"}}, {"rate_limit": "5/min"}]), max_size=2)
RULES = st.lists(
    st.sampled_from(
        [
            {"name": "bank", "actions": ["pay"], "conditions": {"max_amount": 5}},
            {"name": "bank", "actions": ["pay", "get"], "rate_limit": "3/s"},
            {"name": "bank", "actions": ["*"], "count": {"max": 3, "per": "day"}},
            {"name": "shop", "actions": ["get"], "conditions": {"approval_needed_over_amount": 5}},
        ]
    ),
    max_size=3,
    unique_by=repr,
)
DOCUMENTS = st.fixed_dictionaries(
    {
        "org": st.just("o"),
        "tenant": st.just("t"),
        "agent": st.sampled_from(["a", "b", "c", "*"]),
        "mode": st.sampled_from(["enforce", "enforce", "shadow"]),
        "allowed_tools": RULES,
        "limits": LIMITS,
    },
    optional={"name": st.sampled_from(["house", "mine"])},
)


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(st.lists(DOCUMENTS, min_size=1, max_size=5))
def test_calls_are_decided_as_if_no_form_was_shared(
    opa_binary: Path, tmp_path: Path, trust: Any, documents: list[dict[str, Any]]
) -> None:
    shared = policies_of(trust, *documents)
    assert answers(opa_binary, tmp_path, shared) == answers(opa_binary, tmp_path, unshared(shared))


def answers(opa: Path, folder: Path, policies: Any) -> Any:
    """The decisions on a call of every agent, kind, tool and action."""
    calls = [
        {
            "subject": {"properties": {"org": "o", "tenant": "t", "agent": agent, "actors": []}},
            "action": {"name": action, "properties": {"amount": amount}},
            "resource": {"type": kind, "id": tool, "properties": {"host": "h", "port": None, "method": "POST"}},
        }
        for agent in "abcd"
        for kind in ("http", "mcp_tool", "mcp_session", "unclaimed")
        for tool in ("bank", "shop")
        for action in ("pay", "get", "tools/list")
        for amount in (5, 6)
    ]
    (folder / "data.json").write_text(json.dumps({"aegis": {"revision": "r", "policies": policies}}))
    (folder / "input.json").write_text(json.dumps({"calls": calls}))
    sources = ["--data", REGO, "--data", folder / "data.json", "--input", folder / "input.json"]
    arguments = [opa, "eval", "--format", "raw", *sources, "data.aegis.authz.answer.decisions"]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
    decided = json.loads(done.stdout)
    assert len(decided) == len(calls)
    return decided
