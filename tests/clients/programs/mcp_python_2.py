"""The official MCP client for Python, 2.x, in the way its argument names."""

import asyncio
import json
import sys

from mcp import Client


async def main() -> None:
    async with Client("http://notes.mcp.example/mcp", mode=sys.argv[1]) as client:
        tools = [tool.name for tool in (await client.list_tools()).tools]
        texts = []
        for text in ("hello", "secret", "hello"):
            result = await client.call_tool("write_note", {"text": text})
            texts.append(f"{result.is_error} {result.content[0].text}")
    print(json.dumps({"tools": tools, "allowed": texts[0], "denied": texts[1], "again": texts[2]}))


asyncio.run(main())
