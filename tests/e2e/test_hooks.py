"""The hook door of a real mesh: a call that hook and gateway see is one decision and one approval."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from aegis_agent import Aegis, ApprovalNeeded
from aegis_agent.httpx import AsyncClient
from aegis_authz.agent.hooks.dialects import Dialect
from aegis_authz.agent.hooks.entries import hook_command
from aegis_authz.demo.mesh import DemoMesh

pytestmark = pytest.mark.asyncio(loop_scope="session")

NAME = "acme/emea/finance-agent"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def door(mesh: DemoMesh, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[str]:
    """The base URL of `aegis agent hooks`, whose client has one server, led through the mesh."""
    home = tmp_path_factory.mktemp("home")
    led = {"command": "aegis", "args": ["mcp", "proxy", "github/mcp"]}
    (home / ".claude.json").write_text(json.dumps({"mcpServers": {"github": led}}), "utf-8")
    command = [sys.executable, "-m", "aegis_authz.cli", "agent", "hooks", "--dir", str(mesh.state), "--agent", NAME]
    process = await asyncio.create_subprocess_exec(
        *command,
        *("--tool", "stripe-payments", "--listen", "127.0.0.1:0", "--wait", "30"),
        env={**os.environ, "HOME": str(home)},
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            line = (await process.stderr.readline()).decode("utf-8")
        yield line.split()[-1]
    finally:
        process.terminate()
        await process.wait()


def question(tool: str, **arguments: Any) -> dict[str, Any]:
    return {"hook_event_name": "PreToolUse", "tool_name": tool, "tool_input": arguments, "cwd": "/"}


async def ask(door: str, tool: str, **arguments: Any) -> Any:
    async with httpx.AsyncClient(trust_env=False, timeout=60) as client:
        answer = await client.post(f"{door}/v1/hooks/claude-code", json=question(tool, **arguments))
    assert answer.status_code == 200
    return answer.json()


def decisions(mesh: DemoMesh) -> list[dict[str, Any]]:
    texts = (path.read_text("utf-8") for path in (mesh.state / "records").glob("*/*.jsonl"))
    records = (json.loads(line) for text in texts for line in text.splitlines())
    found = [record for record in records if record.get("kind") == "decision"]
    return sorted(found, key=lambda record: record["time"])  # each worker has a log of its own


async def test_a_tool_of_the_client_is_judged_as_a_function_of_the_catalogue(door: str, mesh: DemoMesh) -> None:
    before = len(decisions(mesh))
    assert await ask(door, "create_payment", amount=4200, payee="ACME") == {}
    refused = (await ask(door, "create_payment", amount=50000, payee="ACME"))["hookSpecificOutput"]
    assert refused["permissionDecision"] == "deny"
    assert refused["permissionDecisionReason"].startswith("create_payment on stripe-payments was refused: Policy does")
    unknown = (await ask(door, "Bash", command="ls"))["hookSpecificOutput"]
    assert unknown["permissionDecision"] == "deny"
    assert [record["effect"] for record in decisions(mesh)[before:]] == ["allow", "deny", "deny"]


async def test_codex_runs_the_command_that_its_settings_have(door: str) -> None:
    pipe = asyncio.subprocess.PIPE
    command = hook_command(Dialect.CODEX, f"{door}/v1/hooks/codex", 60)
    for amount, decision in ((4201, "{}"), (50001, '"permissionDecision":"deny"')):
        process = await asyncio.create_subprocess_exec("sh", "-c", command, stdin=pipe, stdout=pipe)
        body = json.dumps(question("create_payment", amount=amount, payee="ACME")).encode()
        printed, _ = await process.communicate(body)
        assert process.returncode == 0
        assert decision in printed.decode()


async def test_a_held_call_is_made_once_its_person_approved_it(door: str, mesh: DemoMesh) -> None:
    held = (await ask(door, "create_payment", amount=8801, payee="ACME")).get("hookSpecificOutput", {})
    approval_id = re.search(r"apr_[\w-]+", held.get("permissionDecisionReason", ""))
    assert approval_id is not None, held
    await mesh.approve(approval_id[0])
    assert await ask(door, "create_payment", amount=8801, payee="ACME") == {}


async def test_a_call_that_the_gateway_judges_is_one_decision_and_one_approval(door: str, mesh: DemoMesh) -> None:
    environment = {"AEGIS_DIR": str(Path(mesh.state).resolve()), "AEGIS_AGENT": NAME}
    before = len(decisions(mesh))
    assert await ask(door, "mcp__github__create_payment", amount=8802, payee="ACME") == {}
    async with Aegis.from_env(environment) as aegis, AsyncClient(aegis) as client:
        with pytest.raises(ApprovalNeeded):
            await client.post("http://api.stripe.example/v1/payments", json={"amount": 8802, "payee": "ACME"})
    (record,) = decisions(mesh)[before:]
    assert record["effect"] == "approval_needed"
