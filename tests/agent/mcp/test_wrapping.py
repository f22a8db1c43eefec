"""A real server over stdio, wrapped, before the official client: both eras of the protocol."""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
import pytest
from mcp import Client, MCPError

from aegis_authz.agent.mcp.wrapping import WrappedServer, wrapped_server
from aegis_authz.agent.serving import serving

SERVER = (sys.executable, str(Path(__file__).parents[2] / "support" / "stdio_mcp_server.py"))
MODES = ("legacy", "2026-07-28", "auto")


@asynccontextmanager
async def wrapped(uid: int | None = None) -> AsyncIterator[tuple[str, WrappedServer]]:
    async with (
        wrapped_server(SERVER, os.getuid() if uid is None else uid, lambda: secrets.token_hex(16)) as server,
        serving(server, "127.0.0.1:0") as listening,
    ):
        yield f"{listening.url}/mcp", server


@pytest.mark.parametrize("mode", MODES)
async def test_the_official_client_lists_calls_and_hears_progress(mode: str) -> None:
    steps: list[float] = []

    async def progress(done: float, total: float | None, message: str | None) -> None:
        steps.append(done)

    async with wrapped() as (url, _), Client(url, mode=mode) as client:
        assert {"read_notes", "write_note"} <= {tool.name for tool in (await client.list_tools()).tools}
        assert not (await client.call_tool("write_note", {"text": "a"})).is_error
        counted = await client.call_tool("count", {"to": 3}, progress_callback=progress)
        assert getattr(counted.content[0], "text", "") == "counted to 3"
        assert steps == [1, 2, 3]


async def test_each_session_has_a_process_of_its_own() -> None:
    async with wrapped() as (url, _), Client(url, mode="legacy") as ada, Client(url, mode="legacy") as bob:
        texts = await asyncio.gather(*(client.call_tool("write_note", {"text": "x"}) for client in (ada, bob)))
        lines = [getattr(text.content[0], "text", "") for text in texts]
        assert [line.split()[0] for line in lines] == ["1", "1"]
        assert lines[0] != lines[1]


async def test_a_process_that_dies_is_said_to_its_client_alone() -> None:
    async with wrapped() as (url, _), Client(url, mode="legacy") as ada, Client(url, mode="legacy") as bob:
        with pytest.raises(MCPError, match="ended before it answered"):
            await ada.call_tool("fail")
        assert not (await bob.call_tool("read_notes")).is_error


async def test_no_process_is_left() -> None:
    async with wrapped() as (url, server), Client(url, mode="legacy") as client:
        line = getattr((await client.call_tool("write_note", {"text": "x"})).content[0], "text", "")
        pid = int(line.split()[-1])
        os.kill(pid, 0)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert all(not process.is_alive for process in server._sessions.values())


async def post(url: str, message: object, **headers: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as http, http.post(url, data=json.dumps(message), headers=headers) as answer:
        return answer.status, await answer.text()


async def test_what_is_no_message_of_a_client_is_refused() -> None:
    initialize = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}
    async with wrapped() as (url, _):
        assert (await post(url, [initialize]))[0] == 400
        assert (await post(url, {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, **{"mcp-session-id": "x"}))[
            0
        ] == 404
        assert (await post(url, initialize, origin="http://evil.example"))[0] == 403
        assert (await post(url, initialize, **{"sec-fetch-site": "same-origin"}))[0] == 403
        assert (await post(f"{url}/other", initialize))[0] == 404
        async with aiohttp.ClientSession() as http:
            for method, status in (("PUT", 405), ("GET", 405), ("DELETE", 404)):
                async with http.request(method, url) as answer:
                    assert answer.status == status


async def test_a_command_that_is_not_there_is_said() -> None:
    async with (
        wrapped_server(("no-such-server",), os.getuid(), lambda: "s") as server,
        serving(server, "127.0.0.1:0") as listening,
    ):
        status, text = await post(f"{listening.url}/mcp", {"jsonrpc": "2.0", "id": 1, "method": "initialize"})
    assert (status, "cannot answer" in text) == (200, True)
