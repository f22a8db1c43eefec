"""MCP sessions belong to who opened them: two agents, two tenants, two routes and the stock client on a real mesh."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import pytest_asyncio
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

from aegis_authz.adapters.files.keys import rotate_session_keys
from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.run import agent_of
from aegis_authz.demo.serving import serving
from aegis_authz.demo.tools import DemoTools
from tests.support.wrapped_sessions import forged_sessions

pytestmark = pytest.mark.asyncio(loop_scope="session")

ID = "mcp-session-id"
NOTES, DIARY = "notes.example", "diary.example"
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
}
READ = {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "read", "arguments": {}}}
POLICY = """
org: acme
tenant: {tenant}
agent: {agent}
allowed_tools:
  - {{name: notes, actions: ["*"]}}
  - {{name: diary, actions: ["*"]}}
"""
TOOL = """
tool: {name}
host: {name}.example
upstream: http://127.0.0.1:{port}{endpoint}
mcp: {{query: [project]}}
"""
ENDPOINTS = {"notes": "/mcp?set=a%20b&x=1", "diary": "/mcp/"}


class Server:
    """One stateful MCP server that both tools lead to; it keeps the ids and the targets that reach it."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.targets: list[str] = []
        server = MCPServer("notes", log_level="ERROR")

        @server.tool()
        def read() -> str:
            """Read the note of this session."""
            return "a secret of the session"

        security = TransportSecuritySettings(allowed_hosts=[NOTES, DIARY], allowed_origins=[])
        served: Any = server.streamable_http_app(transport_security=security)

        async def app(scope: Any, receive: Any, send: Any) -> None:
            if scope["type"] == "http":
                query = scope["query_string"].decode()
                self.targets.append(f"{scope['path']}?{query}" if query else scope["path"])
                scope = {**scope, "path": "/mcp", "raw_path": b"/mcp"}
                self.ids += [value.decode() for name, value in scope["headers"] if name == ID.encode()]
            await served(scope, receive, send)

        self.app: Any = app


@dataclass
class World:
    mesh: DemoMesh
    agent: Agent
    server: Server

    async def send(
        self,
        agent: str,
        message: object,
        session: str | None = None,
        *,
        tenant: str = "emea",
        host: str = NOTES,
        method: str = "POST",
    ) -> httpx.Response:
        headers = {
            "accept": "application/json, text/event-stream",
            "x-aegis-token": self.agent.tokens.mint(agent, tenant),
            "mcp-protocol-version": "2025-11-25",
        }
        if session is not None:
            headers[ID] = session
        async with httpx.AsyncClient(proxy=self.mesh.proxy, trust_env=False, timeout=10) as http:
            return await http.request(method, f"http://{host}/mcp", headers=headers, json=message)

    async def opened(self, agent: str, **place: str) -> str:
        """The id of a session that the agent has opened."""
        answer = await self.send(agent, INITIALIZE, **place)
        session = answer.headers[ID]
        initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
        assert (await self.send(agent, initialized, session, **place)).status_code == 202
        return session

    def record(self, answer: httpx.Response) -> dict[str, Any]:
        record = self.agent.record(answer.headers["x-aegis-decision-id"])
        assert record is not None
        return record


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    folder = tmp_path_factory.mktemp("sessions")
    mesh, server = DemoMesh(folder, DemoTools()), Server()
    mesh.policies.mkdir(parents=True)
    mesh.catalogue.mkdir(parents=True)
    async with serving(server.app) as port:
        for agent, tenant in (("ann", "emea"), ("bob", "emea"), ("ann", "apac")):
            (mesh.policies / f"{agent}-{tenant}.yaml").write_text(POLICY.format(agent=agent, tenant=tenant))
        for name in ("notes", "diary"):
            (mesh.catalogue / f"{name}.yaml").write_text(TOOL.format(name=name, port=port, endpoint=ENDPOINTS[name]))
        try:
            await mesh.up()
            agent = agent_of(mesh)
            yield World(mesh, agent, server)
            await agent.close()
        finally:
            await mesh.down()
            shutil.rmtree(folder / "mesh", ignore_errors=True)


async def test_who_opened_a_session_uses_and_ends_it(world: World) -> None:
    session = await world.opened("ann")
    answer = await world.send("ann", READ, session)
    assert (answer.status_code, "a secret of the session" in answer.text) == (200, True)
    assert answer.headers[ID] == session
    assert world.server.ids
    assert session not in world.server.ids
    assert session.endswith(world.server.ids[-1])
    ended = await world.send("ann", None, session, method="DELETE")
    assert ended.status_code == 200
    assert (await world.send("ann", READ, session)).status_code == 404  # the server's own word


@pytest.mark.parametrize(("agent", "place"), [("bob", {}), ("ann", {"tenant": "apac"}), ("ann", {"host": DIARY})])
@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
async def test_nobody_else_reads_or_ends_it_and_it_is_of_no_use_on_another_route(
    world: World, agent: str, place: dict[str, str], method: str
) -> None:
    session = await world.opened("ann")
    world.server.ids.clear()
    message = READ if method == "POST" else None
    answer = await world.send(agent, message, session, method=method, **place)
    assert (answer.status_code, world.server.ids) == (404, [])
    record = world.record(answer)
    assert (record["effect"], record["reason"]) == ("deny", "SESSION_INVALID")
    assert session not in json.dumps(record)
    assert record["mcp_session"] == hashlib.sha256(session.encode()).hexdigest()
    if method == "POST":
        assert (answer.json()["id"], "Initialize a new one" in answer.json()["error"]["message"]) == (2, True)
    assert (await world.send("ann", READ, session)).status_code == 200


async def test_every_forged_raw_and_old_id_is_refused(world: World) -> None:
    session = await world.opened("ann")
    for forged in forged_sessions(session, world.server.ids[-1]):
        answer = await world.send("ann", READ, forged)
        assert (answer.status_code, world.record(answer)["reason"]) == (404, "SESSION_INVALID"), forged
    twice = {"jsonrpc": "2.0", "id": 2, "method": "ping"}
    async with httpx.AsyncClient(proxy=world.mesh.proxy, trust_env=False) as http:
        headers = [("x-aegis-token", world.agent.tokens.mint("ann")), (ID, session), (ID, session)]
        answer = await http.post(f"http://{NOTES}/mcp", headers=headers, json=twice)
    assert world.record(answer)["reason"] == "AMBIGUOUS_HEADERS"


async def test_sessions_go_on_while_the_keys_change_and_end_with_the_second_change(world: World) -> None:
    session, keys = await world.opened("ann"), world.mesh.state / "keys" / "sessions.keys"
    rotate_session_keys(keys)
    assert (await world.send("ann", READ, session)).status_code == 200
    newer = await world.opened("ann")
    rotate_session_keys(keys)
    assert [(await world.send("ann", READ, each)).status_code for each in (newer, session)] == [200, 404]


@pytest.mark.parametrize("host", [NOTES, DIARY])
async def test_the_stock_client_works_through_its_whole_session(world: World, host: str) -> None:
    seen: list[tuple[str, int]] = []

    async def fresh_token(request: httpx2.Request) -> None:
        request.headers["x-aegis-token"] = world.agent.tokens.mint("bob")

    async def note(response: httpx2.Response) -> None:
        seen.append((response.request.method, response.status_code))

    hooks: dict[str, list[Any]] = {"request": [fresh_token], "response": [note]}
    async with httpx2.AsyncClient(proxy=world.mesh.proxy, trust_env=False, event_hooks=hooks, timeout=10) as http:
        transport = streamable_http_client(f"http://{host}/mcp", http_client=http)
        async with Client(transport, mode="legacy") as client:
            results = [await client.call_tool("read", {}) for _ in range(3)]
    assert not any(result.is_error for result in results)
    assert {status for _, status in seen} == {200, 202}
    assert ("DELETE", 200) in seen


async def test_the_reverse_route_and_the_forward_proxy_lead_to_one_session(world: World) -> None:
    session = await world.opened("ann")
    headers = {
        "x-aegis-token": world.agent.tokens.mint("ann"),
        ID: session,
        "accept": "application/json, text/event-stream",
    }
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(f"{world.mesh.reverse}/notes/mcp", headers=headers, json=READ)
    assert (answer.status_code, answer.headers[ID]) == (200, session)


async def test_the_keys_of_sessions_are_made_with_the_mesh_for_its_owner_alone(world: World) -> None:
    path: Path = world.mesh.state / "keys" / "sessions.keys"
    assert path.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("base", "target", "reached"),
    [
        (f"http://{NOTES}", "/mcp", "/mcp?set=a%20b&x=1"),
        (f"http://{NOTES}", "/mcp/", "/mcp?set=a%20b&x=1"),
        (f"http://{NOTES}", "/mcp/?project=p%2F1", "/mcp?set=a%20b&x=1&project=p%2F1"),
        (f"http://{NOTES}", "/mcp?set=a%20b&x=1", "/mcp?set=a%20b&x=1"),
        (f"http://{DIARY}", "/mcp", "/mcp/"),
        (f"http://{DIARY}", "/mcp/", "/mcp/"),
        ("", "/notes/mcp/", "/mcp?set=a%20b&x=1"),
        ("", "/diary/mcp?project=1", "/mcp/?project=1"),
    ],
)
async def test_the_server_gets_the_path_and_query_of_the_catalogue_whatever_an_agent_writes(
    world: World, base: str, target: str, reached: str
) -> None:
    world.server.targets.clear()
    headers = {"x-aegis-token": world.agent.tokens.mint("ann"), "accept": "application/json, text/event-stream"}
    async with httpx.AsyncClient(proxy=world.mesh.proxy if base else None, trust_env=False) as http:
        answer = await http.post(f"{base or world.mesh.reverse}{target}", headers=headers, json=INITIALIZE)
    assert (answer.status_code, world.server.targets) == (200, [reached])


@pytest.mark.parametrize(
    "target", ["/mcp?set=b", "/mcp?x=1", "/mcp/?project=1&project=2", "/mcp?Project=1", "/mcp?project=1;set=b"]
)
async def test_an_agents_own_query_reaches_no_server(world: World, target: str) -> None:
    world.server.targets.clear()
    headers = {"x-aegis-token": world.agent.tokens.mint("ann")}
    async with httpx.AsyncClient(proxy=world.mesh.proxy, trust_env=False) as http:
        answer = await http.post(f"http://{NOTES}{target}", headers=headers, json=INITIALIZE)
    record = world.record(answer)
    assert (record["effect"], world.server.targets) == ("deny", [])
    assert record["reason"] in ("PARAMETER_UNKNOWN", "DUPLICATE_KEY", "MALFORMED_CALL")


async def test_while_the_keys_are_gone_no_session_opens_or_goes_on_and_afterwards_all_do(world: World) -> None:
    session, keys = await world.opened("ann"), world.mesh.state / "keys" / "sessions.keys"
    aside = keys.rename(keys.with_suffix(".aside"))
    world.server.ids.clear()
    within = await world.send("ann", READ, session)
    opening = await world.send("ann", INITIALIZE)
    aside.rename(keys)
    assert (within.json()["result"]["isError"], world.record(within)["reason"]) == (True, "INTERNAL_FAULT")
    assert world.server.ids == []
    assert "error" in opening.json()
    assert ID not in opening.headers
    assert (await world.send("ann", READ, session)).status_code == 200
    assert (await world.opened("ann")).startswith("aegis1.")
