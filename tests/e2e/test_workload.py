"""A port that stands for an agent, in a real mesh: a program without any credential is judged as that agent."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest

from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import PAYMENTS

pytestmark = pytest.mark.asyncio(loop_scope="session")

AGENT = "acme/emea/finance-agent"


def port_of(mesh: DemoMesh) -> str:
    url: str = json.loads((mesh.state / "mesh.json").read_text("utf-8"))["workload"][AGENT]
    return url


@asynccontextmanager
async def program(mesh: DemoMesh) -> AsyncIterator[httpx.AsyncClient]:
    """A program that knows the address and nothing else."""
    async with httpx.AsyncClient(proxy=port_of(mesh), trust_env=False, timeout=10) as client:
        yield client


async def test_curl_without_a_credential_is_the_agent(mesh: DemoMesh, agent: Agent) -> None:
    words = ["-s", "-D", "-", "-x", port_of(mesh), "-d", '{"amount": 7}', "-o", "/dev/null", PAYMENTS]
    curl = await asyncio.create_subprocess_exec("curl", *words, stdout=asyncio.subprocess.PIPE)
    heads = (await curl.communicate())[0].decode().lower()
    decision_id = heads.partition("x-aegis-decision-id: ")[2].split()[0]
    record = agent.record(decision_id)
    assert record is not None
    assert "/".join(record[name] for name in ("org", "tenant", "agent")) == AGENT
    assert (record["way"], record["reason"]) == ("workload", "ALLOWED")
    assert (record["source"], record["effect"]) == ("127.0.0.1", "allow")


async def test_it_may_what_the_agent_may_by_reverse_routes_too(mesh: DemoMesh) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        paid = await client.post(f"{port_of(mesh)}/stripe-payments/v1/payments", json={"amount": 5})
        denied = await client.post(f"{port_of(mesh)}/stripe-payments/v1/payments", json={"amount": 50_000})
    assert (paid.status_code, denied.status_code, denied.json()["reason"]) == (201, 403, "POLICY_DENIED")


async def test_64_calls_at_once_through_two_workers_all_pass(mesh: DemoMesh) -> None:
    """A machine that does other things as well may be out of time for some: these pass when they are repeated."""
    async with program(mesh) as client:
        left, answers = 64, Counter[int]()
        async with asyncio.timeout(60):
            while left:
                burst = await asyncio.gather(*(client.post(PAYMENTS, json={"amount": 1}) for _ in range(left)))
                answers += Counter(answer.status_code for answer in burst)
                left = 64 - answers[201]
        assert set(answers) <= {201, 503}


async def test_a_credential_beside_it_is_ambiguous_and_a_page_is_refused(mesh: DemoMesh, agent: Agent) -> None:
    token = agent.tokens.mint("finance-agent")
    async with program(mesh) as client:
        with_token = await client.post(PAYMENTS, json={"amount": 1}, headers={"x-aegis-token": token})
        from_page = await client.post(PAYMENTS, json={"amount": 1}, headers={"origin": "http://evil.example"})
    assert with_token.json()["reason"] == "CREDENTIAL_AMBIGUOUS"
    assert from_page.json()["reason"] == "CREDENTIAL_NOT_ACCEPTED"
    # the token was not spent by a call that was not judged as its own
    assert (await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 1}, token)).reason == "ALLOWED"


async def test_the_shared_listeners_stand_for_nobody(mesh: DemoMesh, agent: Agent) -> None:
    assert (await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 1}, token="")).reason == "CREDENTIAL_MISSING"


async def test_no_call_waits_for_the_control_plane(mesh: DemoMesh) -> None:
    control = mesh.pids()["control"]
    os.kill(control, signal.SIGSTOP)
    try:
        async with program(mesh) as client:
            answers = [await client.post(PAYMENTS, json={"amount": 1}) for _ in range(5)]
    finally:
        os.kill(control, signal.SIGCONT)
    assert {answer.status_code for answer in answers} == {201}


async def test_the_agent_is_stopped_within_a_second_and_goes_on_when_restored(mesh: DemoMesh) -> None:
    folder = ("--dir", str(mesh.state))
    async with program(mesh) as client:
        await mesh.aegis("agents", "revoke", AGENT, *folder, "--note", "a test")
        refused = await client.post(PAYMENTS, json={"amount": 1})
        await mesh.aegis("agents", "restore", AGENT, *folder)
        deadline = time.monotonic() + 10
        while (passed := await client.post(PAYMENTS, json={"amount": 1})).status_code != 201:
            assert time.monotonic() < deadline, passed.text
            await asyncio.sleep(0.05)
    assert (refused.status_code, refused.json()["reason"]) == (403, "REVOKED")


async def test_doctor_proves_it(mesh: DemoMesh) -> None:
    proofs = json.loads(await mesh.aegis("doctor", "--dir", str(mesh.state), "--json"))
    (proof,) = [proof for proof in proofs if proof["control"] == f"the port stands for {AGENT}"]
    assert (proof["reason"], proof["trouble"]) == ("EGRESS_DENIED", "")
