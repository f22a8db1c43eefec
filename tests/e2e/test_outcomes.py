"""What becomes of calls, on record: from the tool through Envoy's access log to `aegis audit show`."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import PAYMENTS

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def outcome(mesh: DemoMesh, decision_id: str) -> dict[str, Any]:
    """The outcome of a decision, once it is on record."""
    async with asyncio.timeout(30):
        while True:
            shown = json.loads(await mesh.aegis("audit", "show", decision_id, "--dir", str(mesh.state), "--json"))
            found = [stored["record"] for stored in shown if stored["record"]["kind"] == "outcome"]
            if found:
                return dict(found[0])


async def test_a_call_that_was_let_through_leaves_its_outcome_and_a_denied_one_none(
    mesh: DemoMesh, agent: Agent
) -> None:
    denied = await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 10**9})
    paid = await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 5})
    assert (denied.decision, paid.decision) == ("deny", "allow")
    record = await outcome(mesh, paid.decision_id)
    assert (record["status"], record["details"], record["reached"]) == (201, "via_upstream", True)
    assert record["response_bytes"] == len(paid.body.encode())
    shown = json.loads(await mesh.aegis("audit", "show", denied.decision_id, "--dir", str(mesh.state), "--json"))
    assert [stored["record"]["kind"] for stored in shown] == ["decision"]
    await mesh.aegis("audit", "verify", "--dir", str(mesh.state))
