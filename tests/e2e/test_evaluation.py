"""The evaluation endpoint of a real mesh: real tokens, proofs, policy, Redis and records."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from aegis_agent import Aegis
from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.local.mesh_facts import read_facts
from tests.e2e.test_outcomes import outcome
from tests.support.questions import question_document

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATH = "/access/v1/evaluation"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def endpoint(mesh: DemoMesh) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=read_facts(mesh.state).evaluation, trust_env=False) as client:
        yield client


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def aegis(mesh: DemoMesh) -> AsyncIterator[Aegis]:
    environment = {"AEGIS_DIR": str(mesh.state.resolve()), "AEGIS_AGENT": "acme/emea/finance-agent"}
    async with Aegis.from_env(environment) as agent:
        yield agent


def payment(amount: float) -> bytes:
    arguments = {"amount": amount, "payee": "ACME"}
    document = question_document("acme/emea/finance-agent", "stripe-payments", "create_payment", arguments)
    return json.dumps(document).encode()


async def ask(endpoint: httpx.AsyncClient, body: bytes, headers: dict[str, str]) -> Any:
    answer = await endpoint.post(PATH, content=body, headers={"content-type": "application/json", **headers})
    return answer.json()


async def test_a_single_use_token_asks_once(endpoint: httpx.AsyncClient, agent: Agent, mesh: DemoMesh) -> None:
    bearer = {"authorization": f"Bearer {agent.tokens.mint('finance-agent')}"}
    allowed = await ask(endpoint, payment(4200), bearer)
    assert (allowed["decision"], allowed["context"]["effect"]) == (True, "allow")
    again = await ask(endpoint, payment(4200), bearer)
    assert (again["decision"], again["context"]["reason"]) == (False, "REPLAYED")
    ticket = {"ticket": allowed["context"]["outcome"]["ticket"], "outcome": "failed"}
    told = await endpoint.post(
        "/access/v1/outcome", json=ticket, headers={"x-aegis-token": agent.tokens.mint("finance-agent")}
    )
    assert told.json() == {"outcome": "failed"}
    record = await outcome(mesh, allowed["context"]["decision_id"])
    assert (record["status"], record["details"], record["reached"]) == (500, "agent_report", True)


async def test_a_proof_is_for_this_question_at_this_endpoint_once(
    endpoint: httpx.AsyncClient, aegis: Aegis, mesh: DemoMesh
) -> None:
    url, body = f"{read_facts(mesh.state).evaluation}{PATH}", payment(4200)
    proven = await aegis.headers_async("POST", url, body)
    forged = await ask(endpoint, payment(1), proven)
    elsewhere = await ask(endpoint, body, await aegis.headers_async("POST", f"{aegis.tool_url('x')}{PATH}", body))
    assert [seen["context"]["reason"] for seen in (forged, elsewhere)] == ["PROOF_MISMATCH"] * 2
    assert (await ask(endpoint, body, proven))["decision"] is True
    assert (await ask(endpoint, body, proven))["context"]["reason"] == "REPLAYED"


async def test_what_envoy_is_told_of_a_call_the_endpoint_is_told_too(endpoint: httpx.AsyncClient, agent: Agent) -> None:
    through_envoy = await agent.call(
        "finance-agent", "POST", "http://api.stripe.example/v1/payments", {"amount": 50000}
    )
    asked = await ask(endpoint, payment(50000), {"x-aegis-token": agent.tokens.mint("finance-agent")})
    assert (asked["decision"], asked["context"]["reason"]) == (False, through_envoy.reason)


async def test_the_metadata_names_the_endpoints(endpoint: httpx.AsyncClient, mesh: DemoMesh) -> None:
    facts = read_facts(mesh.state)
    assert (await endpoint.get("/.well-known/authzen-configuration")).json() == {
        "policy_decision_point": facts.evaluation,
        "access_evaluation_endpoint": f"{facts.evaluation}{PATH}",
        "access_request_endpoint": f"{facts.control}/access/v1/requests",
    }
