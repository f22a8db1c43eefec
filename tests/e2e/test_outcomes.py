"""What becomes of calls, on record: from the tool through Envoy's access log to `aegis audit show`."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from aegis_authz.commands.reconcile import reconcile_records
from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import PAYMENTS
from aegis_authz.evidence.reconciliation import GapKind

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


async def access_log_line(mesh: DemoMesh, decision_id: str) -> str:
    """What Envoy says of a call, once it has written that."""
    log = mesh.state / "logs" / "access.log"
    async with asyncio.timeout(30):
        while True:
            for line in log.read_text("utf-8").splitlines(keepends=True):
                if decision_id in line and line.endswith("\n"):
                    return line
            await asyncio.sleep(0.1)


async def test_what_envoy_did_fits_the_records_and_a_call_around_them_does_not(
    mesh: DemoMesh, agent: Agent, tmp_path: Path
) -> None:
    paid = await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 6})
    denied = await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 10**9})
    await outcome(mesh, paid.decision_id)
    lines = [await access_log_line(mesh, each.decision_id) for each in (paid, denied)]
    log, records = tmp_path / "access.log", mesh.state / "records"
    log.write_text("".join(lines))
    fitting = reconcile_records([log], records, 0.0, 0.0)
    assert (fitting.gaps, fitting.calls) == ((), 1)
    around = [{**json.loads(lines[0]), "decision_id": name} for name in (None, denied.decision_id)]
    log.write_text("".join([*lines, *(json.dumps(entry) + "\n" for entry in around)]))
    gaps = reconcile_records([log], records, 0.0, 0.0).gaps
    assert [gap.kind for gap in gaps] == [GapKind.CALL_WITHOUT_DECISION, GapKind.CALL_WITHOUT_ALLOW]


async def test_the_control_plane_holds_what_envoy_did_against_the_records_all_the_time(
    mesh: DemoMesh, agent: Agent
) -> None:
    before = await reconciled(mesh)
    await agent.call("finance-agent", "POST", PAYMENTS, {"amount": 7})
    async with asyncio.timeout(60):
        while (after := await reconciled(mesh))["calls"] <= before["calls"]:  # another process looks
            await asyncio.sleep(0.2)
    went_by = [name for name, count in after.items() if name.startswith("call-without-") and count]
    assert set(went_by) <= {"call-without-outcome"}


async def reconciled(mesh: DemoMesh) -> dict[str, float]:
    """The calls that were held against the records, and the gaps by kind."""
    control = json.loads((mesh.state / "mesh.json").read_text("utf-8"))["control"]
    token = (mesh.state / "keys" / "admin.token").read_text("utf-8").strip()
    async with httpx.AsyncClient(base_url=control, headers={"authorization": f"Bearer {token}"}) as http:
        text = (await http.get("/metrics")).text
    gaps = re.findall(r'^aegis_reconciliation_gaps_total\{kind="([a-z-]+)"\} ([0-9.]+)$', text, re.MULTILINE)
    (calls,) = re.findall(r"^aegis_reconciliation_calls_total ([0-9.]+)$", text, re.MULTILINE)
    return {"calls": float(calls), **{kind: float(count) for kind, count in gaps}}
