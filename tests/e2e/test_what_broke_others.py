"""Mistakes that were made in programs like this one, each tried here as a kind: through a real mesh, by real clients."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Awaitable, Callable

import httpx
import httpx2
import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.scenario import PAYMENTS

pytestmark = pytest.mark.asyncio(loop_scope="session")

GITHUB = "http://github.mcp.example/mcp"
BUFFERED = 1_048_576
ORDER = {"amount": 10}


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-aegis-token": ""},
        {"x-aegis-token": "anonymous"},
        {"x-aegis-token": "null"},
        {"x-aegis-token": "e30.e30."},
        {"x-aegis-token": "eyJhbGciOiJub25lIn0.eyJzdWIiOiJmaW5hbmNlLWFnZW50In0."},
        {"authorization": "Bearer invented"},
        {"proxy-authorization": "Bearer invented"},
        {"proxy-authorization": "Bearer"},
        {"proxy-authorization": "Basic ZmluYW5jZS1hZ2VudDo="},
        {"proxy-authorization": "Negotiate invented"},
        {"x-aegis-agent": "acme/emea/finance-agent", "x-aegis-identity": "acme/emea/finance-agent"},
        {"cookie": "x-aegis-token=invented", "x-forwarded-user": "finance-agent"},
    ],
    ids=str,
)
async def test_an_invented_bearer_is_nobody_and_never_an_anonymous_caller(
    mesh: DemoMesh, agent: Agent, headers: dict[str, str]
) -> None:
    mesh.tools.received.clear()
    async with httpx.AsyncClient(proxy=mesh.proxy, trust_env=False) as client:
        answer = await client.post(PAYMENTS, json=ORDER, headers=headers)
        async with httpx.AsyncClient(trust_env=False) as reverse:
            other = await reverse.post(f"{mesh.reverse}/stripe-payments/v1/payments", json=ORDER, headers=headers)
    for refused in (answer, other):
        assert (refused.status_code, refused.headers["x-aegis-decision"]) == (401, "deny")
        record = agent.record(refused.headers["x-aegis-decision-id"])
        assert record is None or (record["agent"], record["reason"][:11]) == ("", "CREDENTIAL_")
    assert mesh.tools.received == {}


@pytest.mark.parametrize("is_chunked", [False, True], ids=["with a length", "in chunks"])
@pytest.mark.parametrize("over", [1, 65_536, 1_048_576], ids=["by a byte", "by an Envoy buffer", "by as much again"])
async def test_a_body_over_the_buffer_is_refused_and_never_judged_by_its_beginning(
    mesh: DemoMesh, agent: Agent, over: int, is_chunked: bool
) -> None:
    harmless = b'{"amount": 10, "payee": "'
    body = harmless + b"x" * (BUFFERED + over - len(harmless) - 2) + b'"}'

    async def pieces() -> object:
        for start in range(0, len(body), 65_536):
            yield body[start : start + 65_536]

    mesh.tools.received.clear()
    headers = {"x-aegis-token": agent.tokens.mint("finance-agent"), "content-type": "application/json"}
    async with httpx.AsyncClient(proxy=mesh.proxy, trust_env=False) as client:
        answer = await client.post(PAYMENTS, content=pieces() if is_chunked else body, headers=headers)  # type: ignore[arg-type]  # an async generator of bytes
    assert (answer.status_code, answer.headers["x-aegis-decision"]) == (413, "deny")
    assert mesh.tools.received == {}


async def test_a_tool_that_a_list_leaves_out_cannot_be_called_either(mesh: DemoMesh, agent: Agent) -> None:
    hidden = {"delete_repository"}
    listed = await _listed(mesh, agent)
    assert listed and not listed & hidden
    for name in hidden:
        for spelling in (name, name.upper(), f" {name}", f"{name}\u200b", name.replace("_", "-")):
            call = {"name": spelling, "arguments": {"repo": "aegis"}}
            message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
            reply = await agent.call("coding-agent", "POST", GITHUB, message)
            assert reply.decision == "deny", spelling
            assert "must never be deleted" not in reply.body


async def test_a_notice_that_is_refused_reaches_nobody(mesh: DemoMesh, agent: Agent) -> None:
    """A notification wants no answer: whoever drops its refusal has let it through."""
    seen = []
    for name, method in (("finance-agent", "notifications/cancelled"), ("coding-agent", "tools/call"), ("", "ping")):
        token = agent.tokens.mint(name) if name else secrets.token_hex(20)
        notice = {"jsonrpc": "2.0", "method": method, "params": {"name": "delete_repository"}}
        reply = await agent.call("", "POST", GITHUB, notice, token=token)
        seen.append((reply.decision, reply.status))
        assert "result" not in reply.body and '"error"' in reply.body
    assert seen == [("deny", 200)] * 3  # another status ends the sessions of clients


async def test_the_first_ten_messages_of_the_official_client_pass(mesh: DemoMesh, agent: Agent) -> None:
    for mode in ("legacy", "auto"):
        answers: list[tuple[str, int, str]] = []

        async def fresh_token(request: httpx2.Request) -> None:
            request.headers["x-aegis-token"] = agent.tokens.mint("coding-agent")

        async def note(response: httpx2.Response, to: list[tuple[str, int, str]] = answers) -> None:
            method = response.request.headers.get("mcp-method", response.request.method)
            to.append((method, response.status_code, response.headers.get("x-aegis-decision", "none")))

        hooks: dict[str, list[Callable[..., Awaitable[None]]]] = {"request": [fresh_token], "response": [note]}
        async with (
            asyncio.timeout(60),
            httpx2.AsyncClient(proxy=mesh.proxy, trust_env=False, event_hooks=hooks, timeout=20) as http,
            Client(streamable_http_client(GITHUB, http_client=http), mode=mode) as client,
        ):
            while len(answers) < 10:
                assert {tool.name for tool in (await client.list_tools()).tools} == {"list_issues"}
                assert not (await client.call_tool("list_issues", {"repo": "aegis"})).is_error
                await client.list_resources()
                await client.list_prompts()
        assert {decision for _, _, decision in answers} <= {"allow", "sanitize"}, answers
        assert all(status < 300 or (method == "GET" and status == 405) for method, status, _ in answers), answers


async def _listed(mesh: DemoMesh, agent: Agent) -> set[str]:
    async def fresh_token(request: httpx2.Request) -> None:
        request.headers["x-aegis-token"] = agent.tokens.mint("coding-agent")

    hooks: dict[str, list[Callable[..., Awaitable[None]]]] = {"request": [fresh_token]}
    async with (
        httpx2.AsyncClient(proxy=mesh.proxy, trust_env=False, event_hooks=hooks, timeout=20) as http,
        Client(streamable_http_client(GITHUB, http_client=http)) as client,
    ):
        return {tool.name for tool in (await client.list_tools()).tools}
