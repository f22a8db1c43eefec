"""A revocation in a real mesh outlives what enforces it first: Redis with its data, and the control plane itself."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time

import pytest
import redis.asyncio

from aegis_authz.demo.agent import Agent, Reply
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import PAYMENTS

pytestmark = pytest.mark.asyncio(loop_scope="session")

AGENT = "acme/emea/finance-agent"
PATIENCE = 90


async def pay(agent: Agent) -> Reply:
    """One good call; once more for as long as its token is older than the memory of a store that was emptied."""
    deadline = time.monotonic() + PATIENCE
    while (reply := await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 1})).reason == "STORE_RESET":
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    return reply


async def empty_redis(mesh: DemoMesh) -> None:
    url = json.loads((mesh.state / "mesh.json").read_text("utf-8"))["redis"]
    client = redis.asyncio.Redis.from_url(url)
    await client.flushall()
    await client.aclose()


def revision_of(agent: Agent, reply: Reply) -> str:
    record = agent.record(reply.decision_id)
    assert record is not None
    return str(record["revision"])


async def test_a_revoked_agent_stays_stopped_when_redis_forgets_and_the_control_plane_is_away(
    mesh: DemoMesh, agent: Agent
) -> None:
    folder = ("--dir", str(mesh.state))
    allowed = await pay(agent)
    assert allowed.reason == "ALLOWED"
    await mesh.aegis("agents", "revoke", AGENT, *folder, "--note", "a test")
    refusals = []
    deadline = time.monotonic() + PATIENCE
    # refused by Redis from the first call on; by the bundle as soon as OPA runs it
    while revision_of(agent, refused := await pay(agent)) == revision_of(agent, allowed):
        refusals.append(refused)
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
    assert {reply.reason for reply in [*refusals, refused]} == {"REVOKED"}
    control = mesh.pids()["control"]
    os.kill(control, signal.SIGSTOP)
    try:
        await empty_redis(mesh)
        # through both workers
        replies = [await pay(agent) for _ in range(4)]
    finally:
        os.kill(control, signal.SIGCONT)
    assert {reply.reason for reply in replies} == {"REVOKED"}
    record = agent.record(replies[0].decision_id)
    assert record is not None
    assert record["detail"] == "by the bundle"
    await restored(mesh, agent)


async def restored(mesh: DemoMesh, agent: Agent) -> None:
    deadline = time.monotonic() + PATIENCE
    listing = ("agents", "list", "--dir", str(mesh.state), "--json")
    while not json.loads(await mesh.aegis(*listing))["revocations"]:
        assert time.monotonic() < deadline  # Redis is told again within a second
    await mesh.aegis("agents", "restore", AGENT, "--dir", str(mesh.state))
    # whoever plays on this mesh next counts on its limits, which refuse after a store lost its data
    await mesh.aegis("limits", "reset", "--dir", str(mesh.state), "--note", "a test emptied Redis")
    while (await pay(agent)).reason != "ALLOWED":
        assert time.monotonic() < deadline
        await asyncio.sleep(0.1)
