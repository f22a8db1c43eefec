"""An MCP server over stdio, built on the official SDK: what `aegis mcp wrap` is given in tests."""

from __future__ import annotations

import os

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.types import ToolAnnotations

server = MCPServer("notes", log_level="ERROR")
NOTES: list[str] = []


@server.tool(annotations=ToolAnnotations(readOnlyHint=True))
def read_notes() -> str:
    """Read all notes."""
    return "|".join(NOTES)


@server.tool()
def write_note(text: str, tags: list[str] | None = None) -> str:
    """Write a note."""
    NOTES.append(text)
    return f"{len(NOTES)} in {os.getpid()}"


@server.tool()
async def count(to: int, ctx: Context) -> str:
    """Count, and say each number."""
    for number in range(1, to + 1):
        await ctx.report_progress(number, to)
    return f"counted to {to}"


@server.tool()
def fail() -> str:
    """End the process at once."""
    os._exit(3)


if __name__ == "__main__":
    server.run("stdio")
