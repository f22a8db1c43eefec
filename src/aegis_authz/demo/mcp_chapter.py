"""The scenario's MCP chapter: the official SDK's client through the mesh."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from aegis_authz.demo.agent import Agent, Reply
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import Row, row

URL = "http://github.mcp.example/mcp"


async def mcp_calls(mesh: DemoMesh, agent: Agent) -> list[Row]:
    """One tools/call that is allowed, and one that the client shows as a tool error a model can act on."""
    decision_ids: list[str] = []

    async def fresh_token(request: httpx2.Request) -> None:
        request.headers["x-aegis-token"] = agent.tokens.mint("coding-agent")

    async def note_decision(response: httpx2.Response) -> None:
        decision_ids.append(response.headers.get("x-aegis-decision-id", ""))

    hooks: dict[str, list[Callable[..., Awaitable[None]]]] = {"request": [fresh_token], "response": [note_decision]}
    async with (
        httpx2.AsyncClient(proxy=mesh.proxy, trust_env=False, event_hooks=hooks, timeout=10) as http,
        Client(streamable_http_client(URL, http_client=http)) as client,
    ):
        offered = {tool.name for tool in (await client.list_tools()).tools}
        started = time.perf_counter()
        allowed = await client.call_tool("list_issues", {"repo": "aegis"})
        allowed_id, between = decision_ids[-1], time.perf_counter()
        denied = await client.call_tool("delete_repository", {"repo": "aegis"})
        denied_id, ended = decision_ids[-1], time.perf_counter()
    sentence = getattr(denied.content[0], "text", "")
    name = "mcp"
    return [
        row(
            name,
            "tools/call list_issues",
            _reply(agent, allowed_id, (between - started) * 1000),
            "allow",
            "ALLOWED",
            not allowed.is_error and offered == {"list_issues"},
        ),
        row(
            name,
            "tools/call delete_repository",
            _reply(agent, denied_id, (ended - between) * 1000),
            "deny",
            "POLICY_DENIED",
            denied.is_error is True and "Do not retry" in sentence,
        ),
    ]


def _reply(agent: Agent, decision_id: str, spent: float) -> Reply:
    record = agent.record(decision_id) or {}
    return Reply(200, str(record.get("effect")), str(record.get("reason")), decision_id, "", "", spent)
