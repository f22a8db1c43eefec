"""The session of aiohttp before a small mesh that judges proofs by the letter: what leaves is what was signed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from aegis_agent import Aegis, AegisDenied, AegisUnavailable
from aegis_agent.aiohttp import ClientSession
from aegis_agent.enrolment import Enrolment
from aegis_agent.key import AgentKey
from tests.support.agent_mesh import SmallMesh, new_key

TOOL = "http://tool.example"


def form() -> aiohttp.FormData:
    """Two fields, written as multipart."""
    data = aiohttp.FormData()
    data.add_field("a", "1")
    data.add_field("b", b"2", filename="b.bin")
    return data


async def test_every_kind_of_body_is_signed_as_it_leaves(small: SmallMesh, agent: Aegis) -> None:
    async with ClientSession(agent, headers={"x-own": "yes"}) as session:
        for options in (
            {},
            {"json": {"a": 1}},
            {"data": b"raw"},
            {"data": "text"},
            {"data": {"a": "b c"}},
            {"data": form()},
        ):
            async with session.post(f"{TOOL}/x?a=%2F", **options) as response:
                assert response.status == 200
        async with session.get(TOOL, params={"q": "a b"}) as response:
            assert response.status == 200
    assert small.refusals == []
    assert len(small.passed) == 7
    assert {passed["headers"]["x-own"] for passed in small.passed} == {"yes"}
    assert ["idempotency-key" in {name.lower() for name in passed["headers"]} for passed in small.passed] == [
        True
    ] * 6 + [False]


@pytest.mark.parametrize("option", ["connector", "proxy", "ssl", "trust_env"])
async def test_no_option_leads_requests_past_the_mesh(option: str, small: SmallMesh, agent: Aegis) -> None:
    with pytest.raises(TypeError, match=f"{option} is not an option here"):
        ClientSession(agent, **{option: None})
    async with ClientSession(agent) as session:
        with pytest.raises(TypeError, match=f"{option} is not an option here"):
            await session.get(TOOL, **{option: False})
    assert small.passed == []


async def test_what_cannot_be_signed_is_not_sent(small: SmallMesh, agent: Aegis) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"a"

    async with ClientSession(agent) as session:
        with pytest.raises(TypeError, match="as a whole"):
            await session.post(TOOL, data=pieces())
        with pytest.raises(TypeError, match="compress"):
            await session.post(TOOL, data=b"a" * 99, compress=True)
    assert small.passed == []


async def test_middlewares_see_the_call_and_hide_no_refusal(small: SmallMesh, agent: Aegis) -> None:
    seen: list[int] = []

    async def watch(request: Any, handler: Any) -> Any:
        request.headers["x-late"] = "yes"
        response = await handler(request)
        seen.append(response.status)
        return response

    async with ClientSession(agent, middlewares=(watch,)) as session:
        async with session.post(TOOL, json={}) as response:
            assert response.status == 200
        async with session.post(TOOL, json={}, middlewares=()) as response:
            assert response.status == 200
    assert (seen, small.passed[0]["headers"]["x-late"], small.refusals) == ([200], "yes", [])


@pytest.mark.parametrize("raise_for_status", [False, True])
async def test_a_refusal_is_an_exception_unless_its_program_wants_the_response(
    raise_for_status: bool, small: SmallMesh, agent: Aegis
) -> None:
    problem = b'{"reason": "POLICY_DENIED", "detail": "No.", "retry": "never"}'

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        head = "content-type: application/problem+json\r\nx-aegis-decision: deny\r\nconnection: close\r\n"
        writer.write(f"HTTP/1.1 403 X\r\n{head}content-length: {len(problem)}\r\n\r\n".encode() + problem)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server:
        small.upstream = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with ClientSession(agent, raise_for_status=raise_for_status) as session:
            with pytest.raises(AegisDenied, match=r"No\.") as caught:
                await session.get(TOOL)
        assert caught.value.reason == "POLICY_DENIED"
        async with ClientSession(agent, raises=False) as session, session.get(TOOL) as response:
            assert (response.status, await response.read()) == (403, problem)


async def test_without_a_mesh_nothing_is_sent(agent: Aegis) -> None:
    lost = Aegis(
        Enrolment(agent.agent, Path(), "http://127.0.0.1:1/v1/token", "http://127.0.0.1:1", "", ""), AgentKey(new_key())
    )
    async with lost, ClientSession(lost) as session:
        with pytest.raises(AegisUnavailable):
            await session.get(TOOL)
