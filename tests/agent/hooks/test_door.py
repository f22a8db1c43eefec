"""The door, asked as clients ask it."""

from __future__ import annotations

import asyncio
import json
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from aegis_authz.agent.hooks.dialects import Dialect, ToolUse
from aegis_authz.agent.hooks.door import GovernedServers, HookDoor
from aegis_authz.agent.hooks.judging import HookJudge, HookTarget
from aegis_authz.agent.serving import Listening, serving
from tests.support.agent_mesh import AGENT, calling, new_key, small_mesh

LED = {"command": "/usr/bin/aegis", "args": ["mcp", "proxy", "memory/mcp"]}


@pytest_asyncio.fixture
async def door(tmp_path: Path) -> AsyncIterator[Listening]:
    """A door whose mesh is gone: whatever it asks about is refused."""
    async with small_mesh() as mesh, calling(mesh, new_key()) as caller:
        judge = HookJudge(caller, HookTarget("http://127.0.0.1:1", str(AGENT), "coder", 0))
        servers = GovernedServers(tmp_path, {}, ["http://127.0.0.1:7070"])
        async with serving(HookDoor(judge, servers, os.getuid()), "127.0.0.1:0") as listening:
            yield listening


async def ask(door: Listening, client: str, tool: str, folder: str = "", **headers: str) -> tuple[int, Any]:
    event = "preToolUse" if client == "cursor" else "PreToolUse"
    question = {"hook_event_name": event, "tool_name": tool, "tool_input": {}, "cwd": folder}
    url = f"{door.url}/v1/hooks/{client}"
    async with aiohttp.ClientSession() as http, http.post(url, json=question, headers=headers) as answer:
        text = await answer.text()
        return answer.status, json.loads(text) if answer.status == 200 else text


def denied(answer: Any) -> bool:
    return bool(
        answer.get("hookSpecificOutput", {}).get("permissionDecision") == "deny" or answer.get("permission") == "deny"
    )


@pytest.mark.parametrize("client", ["claude-code", "codex", "cursor"])
async def test_what_cannot_be_judged_is_denied(client: str, door: Listening) -> None:
    status, answer = await ask(door, client, "Bash")
    assert status == 200
    assert denied(answer)
    assert "Bash was not called" in json.dumps(answer)


async def test_a_call_that_the_gateway_judges_passes_unasked(door: Listening, tmp_path: Path) -> None:
    (tmp_path / ".claude.json").write_text(json.dumps({"mcpServers": {"memory": LED}}))
    assert await ask(door, "claude-code", "mcp__memory__read") == (200, {})
    assert denied((await ask(door, "claude-code", "mcp__files__read"))[1])
    assert denied((await ask(door, "claude-code", "Bash"))[1])


async def test_a_project_with_a_server_of_that_name_beside_the_mesh_makes_the_call_a_question(
    door: Listening, tmp_path: Path
) -> None:
    (tmp_path / ".claude.json").write_text(json.dumps({"mcpServers": {"memory": LED}}))
    below = tmp_path / "project" / "deep"
    below.mkdir(parents=True)
    assert await ask(door, "claude-code", "mcp__memory__read", str(below)) == (200, {})
    (tmp_path / "project" / ".mcp.json").write_text(json.dumps({"mcpServers": {"memory": {"command": "npx"}}}))
    assert denied((await ask(door, "claude-code", "mcp__memory__read", str(below)))[1])


async def test_of_cursor_every_server_must_be_led_through_the_mesh(door: Listening, tmp_path: Path) -> None:
    settings = tmp_path / ".cursor" / "mcp.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"mcpServers": {"memory": LED, "web": {"url": "http://127.0.0.1:7070/web/mcp"}}}))
    assert await ask(door, "cursor", "MCP:read") == (200, {"permission": "allow"})
    settings.write_text(json.dumps({"mcpServers": {"memory": LED, "web": {"url": "http://web.example/mcp"}}}))
    assert denied((await ask(door, "cursor", "MCP:read"))[1])


async def test_settings_that_cannot_be_read_govern_nothing(door: Listening, tmp_path: Path) -> None:
    (tmp_path / ".claude.json").write_text('{"mcpServers": ')
    assert denied((await ask(door, "claude-code", "mcp__memory__read"))[1])


async def test_a_pipe_in_place_of_settings_is_not_waited_for(door: Listening, tmp_path: Path) -> None:
    (tmp_path / ".claude.json").write_text(json.dumps({"mcpServers": {"memory": LED}}))
    os.mkfifo(tmp_path / ".mcp.json")
    async with asyncio.timeout(30):
        assert denied((await ask(door, "claude-code", "mcp__memory__read", str(tmp_path)))[1])


class SlowSettings(GovernedServers):
    """Has read the settings of `slow` once those of `quick` are read."""

    def __init__(self) -> None:
        super().__init__(Path(), {}, ())
        self._quick = threading.Event()

    def judges(self, dialect: Dialect, use: ToolUse) -> bool:
        if use.name == "mcp__slow__read":
            return self._quick.wait(30)
        self._quick.set()
        return True


async def test_settings_that_take_long_to_read_hold_up_nobody_else() -> None:
    async with small_mesh() as mesh, calling(mesh, new_key()) as caller:
        judge = HookJudge(caller, HookTarget("http://127.0.0.1:1", str(AGENT), "coder", 0))
        async with serving(HookDoor(judge, SlowSettings(), os.getuid()), "127.0.0.1:0") as door:
            answers = await asyncio.gather(*(ask(door, "codex", f"mcp__{name}__read") for name in ("slow", "quick")))
    assert answers == [(200, {}), (200, {})]


@pytest.mark.parametrize(
    "headers", [{"origin": "http://a.example"}, {"host": "a.example"}, {"sec-fetch-site": "same-site"}]
)
async def test_a_page_is_answered_with_no_decision(headers: dict[str, str], door: Listening) -> None:
    assert (await ask(door, "claude-code", "Bash", **headers))[0] == 403


async def test_another_path_or_method_is_a_fault(door: Listening) -> None:
    assert (await ask(door, "gemini", "Bash"))[0] == 400
    async with aiohttp.ClientSession() as http:
        async with http.get(f"{door.url}/v1/hooks/codex") as answer:
            assert answer.status == 400
        async with http.post(f"{door.url}/v1/hooks/codex", data=b"{}") as answer:
            assert (answer.status, "not of the event" in await answer.text()) == (400, True)
