"""What judges a call, in digests: a change of it is another basis, a change elsewhere is not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aegis_authz.core.basis import Bases
from aegis_authz.core.scope import Scope
from aegis_authz.policy.bundle.snapshot import trust_to_data
from aegis_authz.policy.compile.compiler import compile_policy
from aegis_authz.policy.load import load

TRUST = trust_to_data("aegis", "mesh", [], [], 300, 5)
BOT = Scope("acme", "emea", "bot")
TOOL: dict[str, Any] = {
    "tool": "stripe",
    "host": "api.stripe.example",
    "actions": {"pay": {"match": "POST /v1/payments", "parameters": {"amount": {"from": "/amount", "type": "number"}}}},
}
OTHER_TOOL = {**TOOL, "tool": "crm", "host": "crm.example"}
RULE: dict[str, Any] = {
    "name": "stripe",
    "actions": ["pay"],
    "conditions": {"max_amount": 100, "approval_needed_over": 50},
}
BOTS: dict[str, Any] = {"org": "acme", "tenant": "emea", "agent": "bot", "allowed_tools": [RULE]}
GROUP = {"org": "acme", "tenant": "*", "agent": "bo*", "name": "group", "allowed_tools": [RULE]}
ELSEWHERE = {"org": "acme", "tenant": "apac", "agent": "bot", "name": "elsewhere", "allowed_tools": [RULE]}

POLICIES = {"bot.yaml": BOTS, "group.yaml": GROUP, "elsewhere.yaml": ELSEWHERE}
TOOLS = {"stripe.yaml": TOOL, "crm.yaml": OTHER_TOOL}


def basis(policies: Mapping[str, Any] = POLICIES, tools: Mapping[str, Any] = TOOLS, base: str = "") -> str:
    return bases(policies, tools, base).of(BOT, "stripe")


def bases(policies: Mapping[str, Any], tools: Mapping[str, Any], base: str = "") -> Bases:
    loaded = load(*({path: json.dumps(text) for path, text in part.items()} for part in (policies, tools)))
    return compile_policy(loaded.compiled, loaded.tools, TRUST, base).bases


def with_limit(document: Mapping[str, Any], limit: float) -> dict[str, Any]:
    return {**document, "allowed_tools": [{**RULE, "conditions": {"max_amount": limit, "approval_needed_over": 0}}]}


CHANGES: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "a limit of the agent's document": ({"bot.yaml": with_limit(BOTS, 99)}, {}),
    "a limit of a group's document": ({"group.yaml": with_limit(GROUP, 99)}, {}),
    "a document that observes": ({"new.yaml": {**GROUP, "name": "new", "mode": "shadow"}}, {}),
    "another document in scope": ({"new.yaml": {"org": "acme", "agent": "bot", "name": "new"}}, {}),
    "a document in scope that is gone": ({"group.yaml": None}, {}),
    "who may approve": (
        {"bot.yaml": {**BOTS, "allowed_tools": [{**RULE, "approval": {"groups": ["finance"]}}]}},
        {},
    ),
    "where the tool is": ({}, {"stripe.yaml": {**TOOL, "upstream": "https://10.0.0.9"}}),
    "what the tool's action takes": (
        {},
        {"stripe.yaml": {**TOOL, "actions": {"pay": {**TOOL["actions"]["pay"], "others": "allow"}}}},
    ),
}


def changed(parts: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    return {path: document for path, document in {**parts, **changes}.items() if document is not None}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_of_what_judges_is_another_basis(change: str) -> None:
    policies, tools = CHANGES[change]
    assert basis(changed(POLICIES, policies), changed(TOOLS, tools)) != basis()


ELSEWHERE_CHANGES: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {
    "a document of another tenant": ({"elsewhere.yaml": with_limit(ELSEWHERE, 1)}, {}),
    "another agent's document": ({"new.yaml": {**ELSEWHERE, "agent": "other", "name": "new"}}, {}),
    "a document of another tenant that is gone": ({"elsewhere.yaml": None}, {}),
    "another tool": ({}, {"crm.yaml": {**OTHER_TOOL, "upstream": "https://10.0.0.9"}}),
    "one tool more": ({}, {"ehr.yaml": {**TOOL, "tool": "ehr", "host": "ehr.example"}}),
    "another order of members": ({"bot.yaml": dict(reversed(BOTS.items()))}, {}),
    "another file name": ({"bot.yaml": None, "moved.yaml": BOTS}, {}),
    "who owns a document": ({"bot.yaml": {**BOTS, "owner": "ann"}}, {}),
}


@pytest.mark.parametrize("change", ELSEWHERE_CHANGES)
def test_a_change_elsewhere_is_the_same_basis(change: str) -> None:
    policies, tools = ELSEWHERE_CHANGES[change]
    assert basis(changed(POLICIES, policies), changed(TOOLS, tools)) == basis()


def test_keys_and_addresses_of_the_mesh_are_no_part_of_a_basis() -> None:
    assert basis(base="http://elsewhere") == basis()


LIMITS = st.integers(1, 3)
DOCUMENTS = st.fixed_dictionaries(
    {
        "org": st.sampled_from(["acme", "*"]),
        "tenant": st.sampled_from(["emea", "apac", "*"]),
        "agent": st.sampled_from(["bot", "other", "bo*"]),
        "limit": LIMITS,
    }
)


def document(number: int, drawn: Mapping[str, Any]) -> dict[str, Any]:
    scope = {name: drawn[name] for name in ("org", "tenant", "agent")}
    return with_limit({**scope, "name": f"p{number}"}, drawn["limit"])


@settings(max_examples=60, deadline=None)
@given(st.lists(DOCUMENTS, min_size=1, max_size=4), st.data())
def test_whatever_document_changes_the_basis_follows_its_scope(
    drawn: list[dict[str, Any]], data: st.DataObject
) -> None:
    at = data.draw(st.integers(0, len(drawn) - 1))
    policies = {f"p{number}.yaml": document(number, terms) for number, terms in enumerate(drawn)}
    after = {**policies, f"p{at}.yaml": document(at, {**drawn[at], "limit": drawn[at]["limit"] + 7})}
    covers = (
        drawn[at]["org"] in ("acme", "*")
        and drawn[at]["tenant"] in ("emea", "*")
        and drawn[at]["agent"] in ("bot", "bo*")
    )
    assert (basis(policies) != basis(after)) == covers
