"""A client of MCP 2026-07-28 that shows its user pages: a held call leads to the page, and goes on by itself after it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import httpx2
import pytest
import pytest_asyncio
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitRequestURLParams, ElicitResult

from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mcp_chapter import URL
from aegis_authz.demo.mesh import DemoMesh

pytestmark = pytest.mark.asyncio(loop_scope="session")
REVISION = "2026-07-28"
RULE = "actions: [list_issues, create_issue]"


@pytest_asyncio.fixture(loop_scope="session", scope="module")
async def asking(mesh: DemoMesh) -> AsyncIterator[DemoMesh]:
    """The mesh, with a policy that has each call of an MCP tool approved."""
    held = f"{RULE}\n    approval: {{groups: [maintainers], always: true}}"
    mesh.edit_policy("coding-agent", RULE, held)
    await mesh.publish()
    yield mesh
    mesh.edit_policy("coding-agent", held, RULE)
    await mesh.publish()


@asynccontextmanager
async def connected(mesh: DemoMesh, agent: Agent, elicited: Any = None) -> AsyncIterator[Client]:
    async def fresh_token(request: httpx2.Request) -> None:
        request.headers["x-aegis-token"] = agent.tokens.mint("coding-agent")

    hooks: dict[str, list[Callable[..., Awaitable[None]]]] = {"request": [fresh_token]}
    async with (
        httpx2.AsyncClient(proxy=mesh.proxy, trust_env=False, event_hooks=hooks, timeout=30) as http,
        Client(streamable_http_client(URL, http_client=http), mode=REVISION, elicitation_callback=elicited) as client,
    ):
        yield client


async def decide(mesh: DemoMesh, name: str, verb: str) -> None:
    control = json.loads((mesh.state / "mesh.json").read_text("utf-8"))["control"]
    bearer = {"authorization": f"Bearer {(mesh.state / 'keys' / 'admin.token').read_text('ascii').strip()}"}
    async with httpx.AsyncClient(base_url=control, headers=bearer, trust_env=False) as client:
        (await client.post(f"/v1/approvals/{name}/{verb}", json={"note": "as was said"})).raise_for_status()


async def test_the_user_is_led_to_the_page_and_the_call_goes_on_once_it_is_approved(
    asking: DemoMesh, agent: Agent
) -> None:
    pages: list[str] = []

    async def elicited(_: object, params: object) -> ElicitResult:
        assert isinstance(params, ElicitRequestURLParams)
        pages.append(params.url)
        await decide(asking, params.url.rpartition("/")[2], "approve")
        return ElicitResult(action="accept")

    async with connected(asking, agent, elicited) as client:
        result = await client.call_tool("list_issues", {"repo": "first"})
    assert result.is_error is not True
    (page,) = pages
    control = json.loads((asking.state / "mesh.json").read_text("utf-8"))["control"]
    assert page.startswith(f"{control}/approvals/apr_")
    async with httpx.AsyncClient(trust_env=False) as anyone:
        assert (await anyone.get(page)).status_code in (200, 401)


async def test_whoever_comes_back_before_it_is_decided_is_told_to_wait_and_asked_no_more(
    asking: DemoMesh, agent: Agent
) -> None:
    pages: list[str] = []

    async def elicited(_: object, params: ElicitRequestURLParams) -> ElicitResult:
        pages.append(params.url)
        return ElicitResult(action="decline")

    async with connected(asking, agent, elicited) as client:
        result = await client.call_tool("list_issues", {"repo": "second"})
    assert (result.is_error, len(pages)) == (True, 1)
    assert "is pending" in getattr(result.content[0], "text", "")


async def test_a_client_that_shows_no_pages_is_told_as_ever(asking: DemoMesh, agent: Agent) -> None:
    async with connected(asking, agent) as client:
        result = await client.call_tool("list_issues", {"repo": "third"})
    assert result.is_error is True
    assert "is pending" in getattr(result.content[0], "text", "")


async def post(mesh: DemoMesh, agent: Agent, repo: str, who: str = "coding-agent", **more: Any) -> Any:
    """A call as such a client writes it."""
    meta = {
        "io.modelcontextprotocol/protocolVersion": REVISION,
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"url": {}}},
    }
    params = {"name": "list_issues", "arguments": {"repo": repo}, "_meta": meta, **more}
    message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    headers = {
        "x-aegis-token": agent.tokens.mint(who),
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": REVISION,
        "mcp-method": "tools/call",
        "mcp-name": "list_issues",
    }
    async with httpx.AsyncClient(proxy=mesh.proxy, trust_env=False, timeout=30) as http:
        return (await http.post(URL, json=message, headers=headers)).json()["result"]


async def test_a_state_is_good_for_its_own_call_alone(asking: DemoMesh, agent: Agent) -> None:
    first = await post(asking, agent, "fourth")
    assert first["resultType"] == "input_required"
    state = first["requestState"]
    await decide(asking, first["inputRequests"]["aegis_approval"]["params"]["url"].rpartition("/")[2], "approve")
    other = await post(asking, agent, "fifth", requestState=state)
    forged = await post(asking, agent, "fourth", requestState=state[:-2] + "AA")
    for refused in (other, forged):
        assert (refused["isError"], refused["_meta"]["aegis"]["reason"]) == (True, "APPROVAL_MISMATCH")
    answer = {"aegis_approval": {"action": "accept"}}
    passed = await post(asking, agent, "fourth", requestState=state, inputResponses=answer)
    assert not passed.get("isError")
    again = await post(asking, agent, "fourth", requestState=state, inputResponses=answer)
    assert again["_meta"]["aegis"]["reason"] == "APPROVAL_NEEDED", "it passed once"
