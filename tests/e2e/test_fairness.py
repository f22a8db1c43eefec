"""One caller does not stop the others: good calls pass beside whatever costs most to refuse or to judge.

On a mesh as `aegis up` runs it. Slow: each input is sent on two connections for as long as a hundred good calls take.
"""

from __future__ import annotations

import asyncio
from collections import Counter

import httpx
import pytest

from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import PAYMENTS
from tests.support.hostile_load import HOSTILE, hostile, slow_loris

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.slow]

GOOD = 100
LEAST_ANSWERED = 95
GOOD_LONG = 20
LEAST_LONG = 19
SECONDS_FOR_ALL = 60
_LORIS_CONNECTIONS = 200


async def outcomes(mesh: DemoMesh, agent: Agent) -> Counter[str]:
    """What came of a hundred good calls, one after the other."""
    seen: Counter[str] = Counter()
    async with (
        httpx.AsyncClient(proxy=mesh.proxy, trust_env=False, timeout=5) as client,
        asyncio.timeout(SECONDS_FOR_ALL),
    ):
        for _ in range(GOOD):
            headers = {"x-aegis-token": agent.tokens.mint("finance-agent")}
            try:
                answer = await client.post(PAYMENTS, headers=headers, json={"amount": 42})
            except httpx.HTTPError as fault:
                seen[type(fault).__name__] += 1
                continue
            seen["ok" if answer.status_code == httpx.codes.CREATED else str(answer.json().get("reason"))] += 1
    return seen


@pytest.mark.parametrize("name", HOSTILE)
async def test_good_calls_pass_beside_hostile_ones(mesh: DemoMesh, agent: Agent, name: str) -> None:
    async with hostile(HOSTILE[name], _port(mesh), agent.tokens) as statuses:
        seen = await outcomes(mesh, agent)
    assert statuses.total() > 1, "nothing hostile was sent"
    assert seen["ok"] >= LEAST_ANSWERED, (seen, statuses)


async def test_good_calls_pass_beside_requests_that_never_get_whole(mesh: DemoMesh, agent: Agent) -> None:
    async with slow_loris(_port(mesh), _LORIS_CONNECTIONS):
        seen = await outcomes(mesh, agent)
    assert seen["ok"] >= LEAST_ANSWERED, seen


async def test_ten_thousand_numbers_are_judged_in_time(mesh: DemoMesh, agent: Agent) -> None:
    call = {"name": "list_issues", "arguments": {"repo": [1234.5678] * 10_000}}
    body = {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": call}
    reply = await agent.call("coding-agent", "POST", "http://github.mcp.example/mcp", body)
    assert reply.reason in ("ALLOWED", "POLICY_DENIED"), reply


async def test_long_calls_of_an_agent_are_judged_beside_those_of_another(mesh: DemoMesh, agent: Agent) -> None:
    """What takes OPA long is judged in turn for each agent: who sends it all the time does not take all turns."""
    order = {"amount": 42, "payee": "x" * 20_000}
    seen: Counter[str] = Counter()
    async with hostile(HOSTILE["10,000 floats"], _port(mesh), agent.tokens) as statuses:
        async with asyncio.timeout(SECONDS_FOR_ALL):
            for _ in range(GOOD_LONG):
                seen[(await agent.call("finance-agent", "POST", PAYMENTS, order)).reason] += 1
    assert statuses.total() > 1, "nothing hostile was sent"
    assert seen["ALLOWED"] >= LEAST_LONG, (seen, statuses)


def _port(mesh: DemoMesh) -> int:
    return int(mesh.proxy.rpartition(":")[2])
