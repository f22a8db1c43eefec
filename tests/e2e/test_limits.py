"""Limits on the real mesh: Envoy, OPA and Redis, from the words of a policy to the refusal."""

from __future__ import annotations

import httpx
import pytest
import pytest_asyncio

from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import PAYMENTS

pytestmark = pytest.mark.asyncio(loop_scope="session")

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
