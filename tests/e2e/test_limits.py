"""Limits on the real mesh: Envoy, OPA and Redis, from the words of a policy to the refusal."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
import yaml
from redis.asyncio import Redis

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.core.scope import Scope
from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import DEPLOYMENTS, PAYMENTS

pytestmark = pytest.mark.asyncio(loop_scope="session")

SPENDER = Scope("acme", "emea", "spender-b")
DOCUMENT = """
org: acme
tenant: emea
agent: spender-*
name: spenders
allowed_tools:
  - name: stripe-payments
    actions: [create_payment]
    budget: {amount: 100, currency: USD, per: 24h, of: {parameter: amount}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session", autouse=True)
async def published(mesh: DemoMesh) -> None:
    (mesh.policies / "spenders.yaml").write_text(DOCUMENT, "utf-8")
    await mesh.publish()


async def pay(mesh: DemoMesh, agent: str, amount: float) -> httpx.Response:
    who = ("--org", "acme", "--tenant", "emea", "--agent", agent)
    token = await mesh.aegis("token", "mint", "--dir", str(mesh.state), *who)
    async with httpx.AsyncClient(proxy=mesh.proxy, trust_env=False, timeout=30) as client:
        headers = {"x-aegis-token": token.strip()}
        return await client.post(PAYMENTS, json={"amount": amount}, headers=headers)


async def test_a_budget_of_what_is_paid_holds_and_says_what_is_left(mesh: DemoMesh) -> None:
    assert (await pay(mesh, "spender-a", 60)).status_code == 201
    refused = await pay(mesh, "spender-a", 40.01)
    problem = refused.json()
    assert (refused.status_code, problem["reason"]) == (429, "BUDGET_EXCEEDED")
    (limit,) = problem["limits"]
    assert (limit["used"], limit["left"], limit["of"], limit["currency"]) == ("60.00", "40.00", "100.00", "USD")
    assert int(refused.headers["retry-after"]) == problem["retry_after"] > 80_000
    assert (await pay(mesh, "spender-a", 40)).status_code == 201


async def test_what_a_good_call_reserved_is_let_go_when_the_call_is_over(mesh: DemoMesh) -> None:
    paid = await pay(mesh, "spender-b", 60)
    key = redis_keys.reserved(redis_keys.partition_of(SPENDER), paid.headers["x-aegis-decision-id"])
    client = Redis.from_url(json.loads((mesh.state / "mesh.json").read_text("utf-8"))["redis"])
    try:
        async with asyncio.timeout(60):  # Envoy tells of what is over once a second; the reservation lives for an hour
            while await client.exists(key):
                await asyncio.sleep(0.1)
    finally:
        await client.aclose()
    limits = json.loads(await mesh.aegis("limits", "show", "--dir", str(mesh.state), "--agent", str(SPENDER), "--json"))
    assert [limit["used"] for limit in limits["limits"] if limit["kind"] == "budget"] == [60_000_000]


ALIKE = """
org: acme
tenant: emea
agent: alike-*
name: alike
allowed_tools:
  - name: stripe-payments
    actions: [create_payment]
    budget: {amount: 100, currency: USD, per: 24h, of: {parameter: amount}}
    distinct: {parameter: payee, max: 2, per: 24h, on_exceed: approval_needed}
    approval: {groups: [finance-approvers]}
    sets: [paid]
  - name: deploys
    actions: [deploy]
    requires: [paid]
    count: {max: 2, per: 24h}
"""
DEPLOY = {"environment": "staging", "service": "shop", "version": "1.2"}
STEPS: list[tuple[dict[str, object], str, str]] = [
    (DEPLOY, "deny", "FLAG_MISSING"),
    ({"amount": 60, "payee": "A"}, "allow", "ALLOWED"),
    ({"amount": 40.01, "payee": "A"}, "deny", "BUDGET_EXCEEDED"),
    ({"amount": 10, "payee": "B"}, "allow", "ALLOWED"),
    ({"amount": 5, "payee": "C"}, "approval_needed", "APPROVAL_NEEDED"),
    ({"amount": 0, "payee": "A"}, "deny", "CHARGE_INVALID"),
    ({"amount": 30, "payee": "A"}, "allow", "ALLOWED"),
    ({"amount": 0.01, "payee": "A"}, "deny", "BUDGET_EXCEEDED"),
    *[(DEPLOY, "allow", "ALLOWED")] * 2,
    (DEPLOY, "deny", "COUNT_EXCEEDED"),
]


def sequence() -> str:
    """The steps as a test of policies plays them."""
    steps = []
    for parameters, effect, reason in STEPS:
        tool, action = ("deploys", "deploy") if parameters is DEPLOY else ("stripe-payments", "create_payment")
        call = {"agent": "acme/emea/alike-a", "tool": tool, "action": action, "parameters": {**parameters}}
        steps.append({"call": call, "expect": {"effect": effect, "reason": reason}})
    return yaml.safe_dump({"tests": [{"name": "one after the other", "sequence": steps}]})


async def test_a_sequence_of_policy_tests_and_the_mesh_answer_alike(
    mesh: DemoMesh, agent: Agent, tmp_path: Path
) -> None:
    (mesh.policies / "alike.yaml").write_text(ALIKE, "utf-8")
    await mesh.publish()
    (tmp_path / "alike.yaml").write_text(ALIKE, "utf-8")
    (tmp_path / "alike_test.yaml").write_text(sequence(), "utf-8")
    told = await mesh.aegis("policy", "test", "--policies", str(tmp_path), "--tools", str(mesh.catalogue))
    assert "1 passed" in told
    for number, (parameters, effect, reason) in enumerate(STEPS):
        url = DEPLOYMENTS if parameters is DEPLOY else PAYMENTS
        reply = await agent.call("alike-a", "POST", url, parameters)
        assert (number, reply.decision, reply.reason) == (number, effect, reason)
