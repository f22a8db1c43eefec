"""Which actions of an MCP server are methods of the protocol, and no tools of the server."""

from __future__ import annotations

_METHODS = ("initialize", "http:get", "http:delete")  # as calls of streamable HTTP are named


def is_method(action: str) -> bool:
    """Whether an action of an MCP server is a method of the protocol, such as tools/list, and no tool of the server."""
    return "/" in action or action in _METHODS
