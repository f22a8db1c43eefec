"""HTTPS through a running mesh: opened, judged and recorded, refused where a client can read it."""

from __future__ import annotations

import json
import ssl
import sys
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from tests.e2e.test_agent_side import run

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAY = "https://api.stripe.example/v1/payments"
PATIENCE = 30.0


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def client(mesh: DemoMesh) -> AsyncIterator[httpx.AsyncClient]:
    """A client that knows the mesh's proxy and trusts the mesh's authority."""
    trusting = ssl.create_default_context(cafile=str(mesh.state / "ca" / "trusted.pem"))
    async with httpx.AsyncClient(proxy=mesh.proxy, verify=trusting, http2=True, timeout=PATIENCE) as running:
        yield running


def token(agent: Agent, name: str = "finance-agent") -> dict[str, str]:
    return {"x-aegis-token": agent.tokens.mint(name)}


async def test_a_call_over_https_is_judged_recorded_and_reaches_its_tool(
    mesh: DemoMesh, agent: Agent, client: httpx.AsyncClient
) -> None:
    mesh.tools.received.clear()
    reply = await client.post(PAY, json={"amount": 100}, headers=token(agent))
    assert (reply.status_code, reply.http_version) == (201, "HTTP/2")
    record = agent.record(reply.headers["x-aegis-decision-id"])
    assert record is not None
    assert (record["effect"], record["tool"], record["scheme"]) == ("allow", "stripe-payments", "https")
    assert (record["host"], record["port"], record["way"]) == ("api.stripe.example", None, "token")
    assert mesh.tools.received


async def test_a_denial_is_read_where_an_answer_would_be(agent: Agent, client: httpx.AsyncClient) -> None:
    reply = await client.post(PAY, json={"amount": 50000}, headers=token(agent))
    assert (reply.status_code, reply.json()["reason"]) == (403, "POLICY_DENIED")
    assert "allowed is at most" in reply.json()["detail"]


async def test_a_host_that_no_tool_claims_says_so_inside(agent: Agent, client: httpx.AsyncClient) -> None:
    reply = await client.get("https://evil.example/x", headers=token(agent))
    assert (reply.status_code, reply.json()["reason"]) == (403, "EGRESS_DENIED")


async def test_who_says_nothing_of_himself_is_told_so_inside(client: httpx.AsyncClient) -> None:
    reply = await client.get("https://api.stripe.example/v1/payments/1")
    assert (reply.status_code, reply.json()["reason"]) == (401, "CREDENTIAL_MISSING")


async def test_the_tunnel_itself_is_recorded(agent: Agent, mesh: DemoMesh) -> None:
    line = "curl -s -o /dev/null -d '{\"amount\": 100}' https://api.stripe.example/v1/payments -D -"
    heads = await run(mesh.state, line)
    ids = [line.partition(": ")[2].strip() for line in heads if line.lower().startswith("x-aegis-decision-id")]
    connect, call = (agent.record(decision_id) for decision_id in ids)
    assert connect is not None
    assert call is not None
    assert (connect["reason"], connect["method"], connect["host"], connect["port"]) == (
        *("TUNNEL_OPENED", "CONNECT"),
        *("api.stripe.example", 443),
    )
    assert (connect["agent"], connect["way"]) == (call["agent"], call["way"]) == ("finance-agent", "bound")
    assert call["effect"] == "allow"


async def test_a_program_that_knows_nothing_calls_over_https_again_and_again_in_one_tunnel(
    agent: Agent, mesh: DemoMesh
) -> None:
    program = (
        "import json, urllib.request as r, http.client, os, ssl, sys;"
        "from urllib.parse import urlsplit;"
        "p = urlsplit(os.environ['HTTPS_PROXY']);"
        "c = http.client.HTTPSConnection(p.hostname, p.port, context=ssl.create_default_context());"
        "c.set_tunnel('api.stripe.example');\n"
        "for amount in (100, 50000, 100):\n"
        "    c.request('POST', '/v1/payments', json.dumps({'amount': amount}), {'content-type': 'application/json'});"
        "    a = c.getresponse(); a.read(); print(a.headers['x-aegis-decision-id'])"
    )
    lines = await run(mesh.state, f'{sys.executable} -c "{program}"')
    records = [agent.record(line) for line in lines]
    assert [record["effect"] for record in records if record] == ["allow", "deny", "allow"]


async def test_a_credential_that_is_none_opens_no_tunnel(mesh: DemoMesh) -> None:
    trusting = ssl.create_default_context(cafile=str(mesh.state / "ca" / "trusted.pem"))
    proxy = httpx.Proxy(mesh.proxy, headers={"proxy-authorization": "Bearer nonsense"})
    async with httpx.AsyncClient(proxy=proxy, verify=trusting, timeout=PATIENCE) as client:
        with pytest.raises(httpx.ProxyError, match="401"):
            await client.get(PAY)


async def test_a_client_that_does_not_trust_the_mesh_is_not_answered(mesh: DemoMesh) -> None:
    async with httpx.AsyncClient(proxy=mesh.proxy, timeout=PATIENCE) as client:
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            await client.get(PAY)


async def test_the_authority_is_replaced_while_it_is_in_use(mesh: DemoMesh, agent: Agent) -> None:
    def trusting() -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(mesh.state / "ca" / "trusted.pem"))

    async def status(context: ssl.SSLContext) -> int:
        async with httpx.AsyncClient(proxy=mesh.proxy, verify=context, timeout=PATIENCE) as client:
            reply = await client.get("https://api.stripe.example/v1/payments/1", headers=token(agent))
            return reply.status_code

    where = ("--dir", str(mesh.state))
    before = json.loads(await mesh.aegis("ca", "show", *where, "--json"))
    await mesh.aegis("ca", "rotate", *where)
    both = trusting()
    assert await status(both) == 200
    await mesh.aegis("ca", "rotate", "--sign", *where)
    assert await status(both) == 200
    await mesh.aegis("ca", "rotate", "--finish", *where)
    after = json.loads(await mesh.aegis("ca", "show", *where, "--json"))
    assert before["signing"]["fingerprint"] != after["signing"]["fingerprint"]
    assert not after["trusts_former"]
