"""What the policy language says about a call's circumstances and obligations, on the real mesh."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import PAYMENTS

pytestmark = pytest.mark.asyncio(loop_scope="session")

DOCUMENT = """
org: acme
tenant: emea
agent: audit-*
name: audits
allowed_tools:
  - name: stripe-payments
    actions: [create_payment]
    conditions:
      max_amount: 100
      context:
        on_behalf_of: {email_domain_in: [acme.example]}
        acted_by: {every: {in: [planner]}, count: {max: 1}}
        token_age: {max: 60}
        source: {in_ranges: [127.0.0.0/8, "::1/128"]}
        time: {within: [{zone: Europe/Berlin, hours: "00:00-24:00"}]}
        region: {in: [eu]}
    obligations:
      set_headers: [{name: x-cost-center, value: "4711"}]
      inject_credentials: [{credential: stripe, prefix: "Bearer "}]
denied_tools:
  - name: stripe-payments
    actions: [create_payment]
    conditions:
      parameters: {payee: {equals: Mallory, optional: true}}
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def published(mesh: DemoMesh) -> Path:
    path = mesh.policies / "audits.yaml"
    path.write_text(DOCUMENT, "utf-8")
    secret = mesh.state / "credentials" / "acme" / "emea" / "stripe"
    secret.parent.mkdir(parents=True)
    secret.write_text("sk_live_s3cret\n", "utf-8")
    await mesh.publish()
    return path


async def pay(mesh: DemoMesh, body: object, *options: str, **headers: str) -> httpx.Response:
    """One payment with a token from the command line."""
    who = ("--org", "acme", "--tenant", "emea", "--agent", "audit-bot")
    token = await mesh.aegis("token", "mint", "--dir", str(mesh.state), *who, *options)
    async with httpx.AsyncClient(proxy=mesh.proxy, trust_env=False) as client:
        return await client.post(PAYMENTS, json=body, headers={"x-aegis-token": token.strip(), **headers})


@pytest.mark.usefixtures("published")
async def test_a_call_in_the_right_circumstances_reaches_the_tool_with_the_header_policy_sets(mesh: DemoMesh) -> None:
    answer = await pay(
        mesh, {"amount": 5}, "--on-behalf-of", "ann@acme.example", "--act", "planner", **{"X-Cost-Center": "0"}
    )
    assert (answer.status_code, answer.headers["x-aegis-decision"]) == (201, "allow")
    headers = mesh.tools.received["/v1/payments"]["headers"]
    assert isinstance(headers, dict)
    assert headers["x-cost-center"] == "4711"
    assert headers["authorization"] == "Bearer sk_live_s3cret"


@pytest.mark.usefixtures("published")
async def test_a_credential_reaches_the_tool_and_no_record_and_no_log(mesh: DemoMesh) -> None:
    answer = await pay(mesh, {"amount": 5}, "--on-behalf-of", "ann@acme.example")
    assert "s3cret" not in str(answer.headers) + answer.text
    kept = [path for path in mesh.state.rglob("*") if path.is_file() and b"sk_live_s3cret" in path.read_bytes()]
    assert kept == [mesh.state / "credentials" / "acme" / "emea" / "stripe"]


@pytest.mark.usefixtures("published")
async def test_without_its_credential_the_call_is_not_let_through(mesh: DemoMesh) -> None:
    secret = mesh.state / "credentials" / "acme" / "emea" / "stripe"
    hidden = secret.rename(secret.with_name("hidden"))
    try:
        answer = await pay(mesh, {"amount": 5}, "--on-behalf-of", "ann@acme.example")
        assert (answer.status_code, answer.json()["reason"]) == (503, "OBLIGATION_UNMET")
    finally:
        hidden.rename(secret)


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--on-behalf-of", "ann@not-acme.example"),
        ("--on-behalf-of", "ann@acme.example", "--act", "stranger"),
        ("--on-behalf-of", "ann@acme.example", "--act", "planner", "--act", "planner"),
    ],
)
async def test_a_call_for_another_or_through_another_is_denied(mesh: DemoMesh, options: tuple[str, ...]) -> None:
    answer = await pay(mesh, {"amount": 5}, *options)
    assert (answer.status_code, answer.json()["reason"]) == (403, "POLICY_DENIED")


@pytest.mark.usefixtures("published")
async def test_a_denied_tool_is_denied_whatever_else_allows_it(mesh: DemoMesh, agent: Agent) -> None:
    answer = await pay(mesh, {"amount": 5, "payee": "Mallory"}, "--on-behalf-of", "ann@acme.example")
    assert (answer.status_code, answer.json()["reason"]) == (403, "POLICY_DENIED")
    record = agent.record(answer.headers["x-aegis-decision-id"])
    assert record is not None
    assert record["policies"] == ["audits"]
