"""The client of the MCP SDK over a client of ours: what is refused is the result of a tool, which a model can read."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

from aegis_agent import Aegis
from aegis_agent.httpx2 import AsyncClient
from sdk.python.tests.frameworks import ENVIRONMENT, interpreter

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_a_refused_tool_call_is_its_result_and_the_session_goes_on(environment: dict[str, str]) -> None:
    async with (
        Aegis.from_env({**environment, "AEGIS_AGENT": "acme/emea/coding-agent"}) as aegis,
        AsyncClient(aegis, timeout=10) as http,
        Client(streamable_http_client("http://github.mcp.example/mcp", http_client=http)) as client,
    ):
        assert {tool.name for tool in (await client.list_tools()).tools} == {"list_issues"}
        refused = await client.call_tool("delete_repository", {"repo": "aegis"})
        assert refused.is_error is True
        assert "Do not retry" in getattr(refused.content[0], "text", "")
        allowed = await client.call_tool("list_issues", {"repo": "aegis"})
        assert not allowed.is_error


@pytest.mark.slow
async def test_version_1_of_the_sdk_is_answered_the_same(environment: dict[str, str]) -> None:
    agent = {**os.environ, **environment, **ENVIRONMENT, "AEGIS_AGENT": "acme/emea/coding-agent"}
    program = Path(__file__).parent / "programs" / "mcp1.py"
    process = await asyncio.create_subprocess_exec(
        interpreter(".sdk-mcp1"), str(program), env=agent, stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(120):
        printed, _ = await process.communicate()
    assert process.returncode == 0
    answer = json.loads(printed)
    assert (answer["listed"], answer["allowed"]) == (["list_issues"], False)
    assert answer["refused"][0] is True
    assert "Do not retry" in answer["refused"][1]
