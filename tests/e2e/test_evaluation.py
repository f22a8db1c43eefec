"""The evaluation endpoint of a real mesh: real tokens, proofs, policy, Redis and records."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
import yaml
from cryptography import x509

from aegis_agent import Aegis
from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.local.mesh_facts import read_facts
from tests.e2e.test_outcomes import outcome
from tests.support.authority import Authority
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


@asynccontextmanager
async def authorizer_beside(mesh: DemoMesh, settings: dict[str, Any], worker: int) -> AsyncIterator[None]:
    """One more authorizer of the mesh, with settings of its own, that its gateway knows nothing of."""
    file = mesh.folder / f"authz-{worker}.json"
    file.write_text(json.dumps(settings), "utf-8")
    words = ("-m", "aegis_authz.cli", "serve", "authz", "--worker", str(worker), "--config", str(file))
    process = await asyncio.create_subprocess_exec(sys.executable, *words)
    try:
        ready = settings["ready_socket"].replace("{worker}", str(worker))
        async with asyncio.timeout(30):
            while not await is_ready(ready):
                assert process.returncode is None
                await asyncio.sleep(0.05)
        yield
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def is_ready(address: str) -> bool:
    transport = httpx.AsyncHTTPTransport(uds=address.removeprefix("unix:"))
    try:
        async with httpx.AsyncClient(transport=transport) as client:
            return (await client.get("http://worker/readyz")).is_success
    except httpx.TransportError:
        return False


async def test_an_authorizer_beside_the_gateways_answers_by_tls_for_the_url_of_its_settings(
    mesh: DemoMesh, agent: Agent, aegis: Aegis, tmp_path: Path
) -> None:
    """As compose's profile `evaluation` and the chart run it: its own certificate, another name than it listens on."""
    authority = Authority(tmp_path)
    pem = authority.leaf("pdp.pem", x509.DNSName("localhost"))
    pem.chmod(0o600)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    url = f"https://localhost:{port}"
    settings = yaml.safe_load((mesh.state / "authz.yaml").read_text("utf-8"))
    tls = {"certificate": str(pem), "key": str(pem)}
    settings["evaluation"] = {"listen": f"127.0.0.1:{port}", "url": url, "tls": tls}
    trusted = ssl.create_default_context(cafile=str(authority.file))
    body = payment(4200)
    async with (
        authorizer_beside(mesh, settings, 7),
        httpx.AsyncClient(base_url=url, verify=trusted, trust_env=False) as endpoint,
    ):
        allowed = await ask(endpoint, body, {"x-aegis-token": agent.tokens.mint("finance-agent")})
        assert (allowed["decision"], allowed["context"]["effect"]) == (True, "allow")
        assert allowed["context"]["outcome"]["endpoint"] == f"{url}/access/v1/outcome"
        assert (await ask(endpoint, body, await aegis.headers_async("POST", f"{url}{PATH}", body)))["decision"] is True
        elsewhere = await aegis.headers_async("POST", f"{read_facts(mesh.state).evaluation}{PATH}", body)
        assert (await ask(endpoint, body, elsewhere))["context"]["reason"] == "PROOF_MISMATCH"
        with pytest.raises(httpx.TransportError):
            async with httpx.AsyncClient(trust_env=False) as clear:
                await clear.post(f"http://localhost:{port}{PATH}", content=body)
    records = (mesh.state / "records" / "authz-7").glob("*.jsonl")
    assert any(allowed["context"]["decision_id"].encode() in path.read_bytes() for path in records)
