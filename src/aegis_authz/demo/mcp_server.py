"""The demo's MCP server, built on the official SDK."""

from __future__ import annotations

from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings
from starlette.applications import Starlette

HOST = "github.mcp.example"


def mcp_app() -> Starlette:
    """A streamable-HTTP MCP server with one harmless and one dangerous tool."""
    server = MCPServer("github-demo", log_level="ERROR")

    @server.tool()
    def list_issues(repo: str) -> str:
        """List the open issues of a repository."""
        return f"{repo}: #1 the door is open"

    @server.tool()
    def delete_repository(repo: str) -> str:
        """Delete a repository for good."""
        raise RuntimeError(f"{repo} must never be deleted in the demo")

    security = TransportSecuritySettings(allowed_hosts=[HOST], allowed_origins=[])
    return server.streamable_http_app(transport_security=security)
