"""Requests that a running mesh keeps open while a person decides: what they become, and what they do not hold up."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
import pytest_asyncio

from aegis_authz.demo.agent import Agent, Reply
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import PAYMENTS

pytestmark = pytest.mark.asyncio(loop_scope="session")
PATIENCE = 30


LIFE = "expires_in: 900"


@asynccontextmanager
async def published(mesh: DemoMesh, old: str, new: str) -> AsyncIterator[None]:
    """A policy of the finance agent that is another while the block lasts."""
    mesh.edit_policy("finance-agent", old, new)
    await mesh.publish()
    try:
        yield
    finally:
        mesh.edit_policy("finance-agent", new, old)
        await mesh.publish()


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def holding(mesh: DemoMesh) -> AsyncIterator[DemoMesh]:
    """The mesh, with a policy that keeps payments open for 20 seconds."""
    async with published(mesh, LIFE, f"{LIFE}\n      hold: 20s"):
        yield mesh


async def waiting(mesh: DemoMesh, amount: float) -> str:
    """The id of the approval of a payment of that amount, once it is asked for."""
    return await mesh.waiting("finance-agent", "amount", amount)


async def decide(mesh: DemoMesh, name: str, verb: str = "approve") -> None:
    async with mesh.owner() as client:
        (await client.post(f"/v1/approvals/{name}/{verb}", json={"note": "as was said"})).raise_for_status()


async def pay(agent: Agent, amount: float) -> Reply:
    return await agent.call("finance-agent", "POST", PAYMENTS, {"amount": amount, "payee": "x"})


async def test_an_approval_lets_the_very_request_through(holding: DemoMesh, agent: Agent) -> None:
    began = time.monotonic()
    request = asyncio.create_task(pay(agent, 6201))
    name = await waiting(holding, 6201)
    await decide(holding, name)
    reply = await asyncio.wait_for(request, PATIENCE)
    assert (reply.status, reply.reason) == (201, "APPROVED")
    assert time.monotonic() - began < 20, "nobody waits for the end of the hold"


async def test_a_denial_is_the_answer_of_the_very_request_and_says_so(holding: DemoMesh, agent: Agent) -> None:
    request = asyncio.create_task(pay(agent, 6202))
    name = await waiting(holding, 6202)
    await decide(holding, name, "deny")
    reply = await asyncio.wait_for(request, PATIENCE)
    assert (reply.status, reply.decision, reply.reason) == (403, "deny", "APPROVAL_DENIED")
    assert "A person denied this call." in reply.json["detail"]


async def test_the_records_show_the_hold_the_decision_and_what_became_of_the_request(
    holding: DemoMesh, agent: Agent
) -> None:
    request = asyncio.create_task(pay(agent, 6203))
    name = await waiting(holding, 6203)
    await decide(holding, name)
    reply = await asyncio.wait_for(request, PATIENCE)
    shown = json.loads(await holding.aegis("audit", "show", name, "--dir", str(holding.state), "--json"))
    told = sorted((entry["record"]["kind"], entry["record"].get("reason", "")) for entry in shown)
    assert told == [("approval", ""), ("decision", "APPROVAL_NEEDED"), ("decision", "APPROVED")]
    record = agent.record(reply.decision_id)
    assert record is not None
    assert (record["approved_by"], record["total_ms"] < 1000) == ("bootstrap-owner", True), "a hold is no decision"
    assert "control: intact" in await holding.aegis("audit", "verify", "--dir", str(holding.state))


async def test_of_two_requests_for_one_call_that_wait_together_one_passes(holding: DemoMesh, agent: Agent) -> None:
    requests = [asyncio.create_task(pay(agent, 6204)) for _ in range(2)]
    name = await waiting(holding, 6204)
    while await held_now(holding) < 2:
        assert not any(request.done() for request in requests)
    await decide(holding, name)
    replies = [await asyncio.wait_for(request, PATIENCE) for request in requests]
    assert sorted(reply.decision for reply in replies) == ["allow", "approval_needed"]


async def test_an_agent_that_leaves_is_waited_for_no_longer_and_its_approval_stays(
    holding: DemoMesh, agent: Agent
) -> None:
    before = await ended(holding, "left")
    request = asyncio.create_task(pay(agent, 6205))
    name = await waiting(holding, 6205)
    request.cancel()
    async with asyncio.timeout(PATIENCE):
        while await ended(holding, "left") == before:
            await asyncio.sleep(0)
    assert await held_now(holding) == 0
    await decide(holding, name)
    assert (await asyncio.wait_for(pay(agent, 6205), PATIENCE)).reason == "APPROVED"


async def test_beyond_its_share_an_agent_is_answered_at_once(holding: DemoMesh, agent: Agent) -> None:
    requests = [asyncio.create_task(pay(agent, 6210 + number)) for number in range(9)]  # two workers, four in each
    done, _ = await asyncio.wait(requests, timeout=PATIENCE, return_when=asyncio.FIRST_COMPLETED)
    reply = done.pop().result()
    assert (reply.decision, "is pending" in reply.json["detail"]) == ("approval_needed", True)
    for request in requests:
        request.cancel()


async def test_what_nobody_decides_in_time_has_the_answer_of_every_held_call(holding: DemoMesh, agent: Agent) -> None:
    async with published(holding, "hold: 20s", "hold: 1s"):
        began = time.monotonic()
        reply = await pay(agent, 6220)
        assert 1.0 <= time.monotonic() - began < PATIENCE
        assert (reply.status, reply.decision, reply.approval_id[:4]) == (403, "approval_needed", "apr_")
        await decide(holding, reply.approval_id)
        assert (await pay(agent, 6220)).reason == "APPROVED"


async def test_while_the_store_is_away_nobody_is_kept_waiting(holding: DemoMesh, agent: Agent) -> None:
    request = asyncio.create_task(pay(agent, 6230))
    await waiting(holding, 6230)
    began, redis = time.monotonic(), holding.pids()["redis"]
    os.kill(redis, signal.SIGSTOP)
    try:
        reply = await asyncio.wait_for(request, PATIENCE)
        assert (reply.decision, time.monotonic() - began < 15) == ("approval_needed", True)
    finally:
        os.kill(redis, signal.SIGCONT)
    assert await ended(holding, "store_away") >= 1


async def test_a_worker_that_stops_answers_what_it_holds_and_the_approval_outlives_it(
    holding: DemoMesh, agent: Agent
) -> None:
    request = asyncio.create_task(pay(agent, 6240))
    name = await waiting(holding, 6240)
    began, before = time.monotonic(), holding.pids()
    for worker in ("authz-0", "authz-1"):
        os.kill(before[worker], signal.SIGTERM)
    reply = await asyncio.wait_for(request, PATIENCE)
    assert (reply.decision, reply.approval_id, time.monotonic() - began < 15) == ("approval_needed", name, True)
    await decide(holding, name)
    async with asyncio.timeout(PATIENCE):
        while (reply := await pay(agent, 6240)).status == 503:  # no worker is there yet, and Envoy says so
            assert reply.reason in ("not recorded", "NOT_READY", "OVERLOADED")
    assert (reply.status, reply.reason) == (201, "APPROVED")


async def held_now(mesh: DemoMesh) -> float:
    return await metric(mesh, "aegis_holds_open")


async def ended(mesh: DemoMesh, end: str) -> float:
    return await metric(mesh, f'aegis_holds_total{{end="{end}"}}')


async def metric(mesh: DemoMesh, name: str) -> float:
    """The value of a metric, over all workers; 0 where nothing was counted yet."""
    url = json.loads((mesh.state / "mesh.json").read_text("utf-8"))["metrics"]
    async with httpx.AsyncClient(trust_env=False) as client:
        text = (await client.get(url)).text
    return sum(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.startswith(f"{name} "))
