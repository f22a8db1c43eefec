"""The official MCP client for Python, 1.x, as its README shows it."""

import asyncio
import json

from mcp import ClientSession
from mcp.client.streamable_http import streamablehttp_client


async def main() -> None:
    async with streamablehttp_client("http://notes.mcp.example/mcp") as (read, write, _):
        async with ClientSession(read, write) as session:
            await session.initialize()
            tools = [tool.name for tool in (await session.list_tools()).tools]
            texts = []
            for text in ("hello", "secret", "hello"):
                result = await session.call_tool("write_note", {"text": text})
                texts.append(f"{result.isError} {result.content[0].text}")
    print(json.dumps({"tools": tools, "allowed": texts[0], "denied": texts[1], "again": texts[2]}))


asyncio.run(main())
