"""An agent of a real mesh behind its local signer: a key of its own, bound tokens, a proof for each call."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh

pytestmark = pytest.mark.asyncio(loop_scope="session")

PAY = "curl -s -d '{\"amount\": %s}' -H 'x-request-id: %s' -o /dev/null -w '%%header{x-aegis-decision-id}\\n' %s/v1/payments"


async def run(state: Path, script: str) -> list[str]:
    """`aegis agent run` of a shell; the lines it printed."""
    words = (
        "agent",
        "run",
        "--dir",
        str(state.resolve()),
        "--agent",
        "acme/emea/finance-agent",
        "--",
        "sh",
        "-c",
        script,
    )
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "aegis_authz.cli", *words, stdout=asyncio.subprocess.PIPE
    )
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return printed.decode().splitlines()


async def test_a_program_that_knows_nothing_calls_with_a_proof_each_time(mesh: DemoMesh, agent: Agent) -> None:
    forward, reverse = "http://api.stripe.example", "--noproxy '*' $AEGIS_BASE_URL/stripe-payments"
    calls = [PAY % (amount, "r", place) for place in (forward, reverse) for amount in (100, 50000, 100)]
    records = [agent.record(line) for line in await run(mesh.state, "; ".join(calls))]
    assert [record["effect"] for record in records if record] == ["allow", "deny", "allow"] * 2
    assert {json.dumps([record["way"], record["agent"]]) for record in records if record} == {
        json.dumps(["bound", "finance-agent"])
    }


async def test_an_invited_agent_brings_its_own_key(
    mesh: DemoMesh, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    invited = json.loads(
        await mesh.aegis("agents", "invite", "acme/emea/finance-agent", "--dir", str(mesh.state), "--json")
    )
    places = ("--mesh", mesh.proxy, "--reverse", mesh.reverse)
    words = ("agent", "enroll", invited["code"], "--control", invited["control"], *places, "--json")
    assert json.loads(await mesh.aegis(*words))["agent"] == "acme/emea/finance-agent"
    address = "http://api.stripe.example/v1/payments"
    printed = await mesh.aegis("agent", "run", "--", "curl", "-s", "-d", '{"amount": 50000}', address)
    assert json.loads(printed)["reason"] == "POLICY_DENIED"
