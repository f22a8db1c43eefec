"""A client of version 1 of MCP's SDK over a client of ours; prints what its calls came to, as JSON."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client

from aegis_agent import Aegis
from aegis_agent.httpx import AsyncClient


async def main() -> None:
    """Lists tools, is refused one, and calls another."""
    async with (
        Aegis.from_env() as aegis,
        AsyncClient(aegis, timeout=30) as http,
        streamable_http_client("http://github.mcp.example/mcp", http_client=http) as (read, write, *_),
        ClientSession(read, write) as session,
    ):
        await session.initialize()
        listed = [tool.name for tool in (await session.list_tools()).tools]
        refused: Any = await session.call_tool("delete_repository", {"repo": "aegis"})
        allowed: Any = await session.call_tool("list_issues", {"repo": "aegis"})
    answers = {"refused": [refused.isError, refused.content[0].text], "allowed": allowed.isError}
    print(json.dumps({"listed": listed, **answers}))  # noqa: T201  # to the test


asyncio.run(main())
