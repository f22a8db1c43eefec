from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from aegis_authz.policy.load import Loaded, load
from benchmarks.contenders.documents import (
    ACTION,
    AGENT,
    ALLOWED,
    CURRENCIES,
    HOST,
    MOST,
    PATH,
    REFUSED,
    SPENDER,
    TOOL,
    peer_data,
    write_documents,
)

OTHERS = 3


@pytest.fixture
def loaded(tmp_path: Path) -> Loaded:
    write_documents(tmp_path / "policies", tmp_path / "tools", OTHERS, 9001)
    policies = {path.name: path.read_text("utf-8") for path in (tmp_path / "policies").iterdir()}
    tools = {path.name: path.read_text("utf-8") for path in (tmp_path / "tools").iterdir()}
    return load(policies, tools)


def test_the_product_takes_the_policy_and_so_many_others_like_it(loaded: Loaded) -> None:
    assert len(loaded.policies) == OTHERS + 2
    assert len({document.scope for document in loaded.policies}) == OTHERS + 2
    assert len({document.model_dump_json(exclude={"agent", "limits"}) for document in loaded.policies}) == 1


def test_one_agent_has_a_rate_a_budget_and_a_count_that_no_run_uses_up(loaded: Loaded) -> None:
    (document,) = (document for document in loaded.policies if document.limits)
    (limit,) = document.limits
    assert document.scope == str(SPENDER)
    (budget,) = limit.budget
    assert all((limit.rate_limit, limit.count))
    assert budget.amount > 500_000 * json.loads(ALLOWED.body)["amount"]


def test_the_policy_has_three_conditions(loaded: Loaded) -> None:
    (document,) = (document for document in loaded.policies if document.agent == AGENT)
    (rule,) = document.allowed_tools
    assert rule.conditions.short_forms == {"max_amount": MOST}
    assert set(rule.conditions.parameters) == {"currency", "reference"}
    assert rule.approval is None


def test_the_catalogue_declares_what_the_conditions_are_about(loaded: Loaded) -> None:
    (tool,) = loaded.tools
    (action,) = tool.actions
    assert (tool.name, tool.host, action.name) == (TOOL, HOST, ACTION)


def test_the_two_calls_differ_in_the_amount_alone() -> None:
    allowed, refused = json.loads(ALLOWED.body), json.loads(REFUSED.body)
    assert allowed.pop("amount") <= MOST < refused.pop("amount")
    assert allowed == refused
    assert (ALLOWED.method, ALLOWED.host, ALLOWED.path) == (REFUSED.method, REFUSED.host, REFUSED.path)


def test_the_peer_gets_the_same_policies(loaded: Loaded) -> None:
    data = peer_data(bytes(32), "key", OTHERS)
    assert set(data["policies"]) == {document.scope for document in loaded.policies}
    assert data["tools"] == {HOST: {"POST": {PATH: {"tool": TOOL, "action": ACTION}}}}
    for policy in data["policies"].values():
        rule = policy[TOOL][ACTION]
        assert rule["most"] == MOST
        assert set(rule["currencies"]) == set(CURRENCIES)
        assert re.search(rule["reference"], json.loads(ALLOWED.body)["reference"])
