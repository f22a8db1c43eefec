"""Where a call of an MCP server is forwarded to: the path and the query are those of the catalogue."""

from __future__ import annotations

from aegis_authz.core.catalogue import Catalogue
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.tool_call import claimants


def endpoint_target(http: HttpCall, catalogue: Catalogue, name: str) -> str | None:
    """The request target by which the MCP server `name` gets the call, None where it is the one that was sent.

    On a reverse route it still begins with the tool's name, which Envoy takes off.
    """
    tool, path = catalogue.by_name[name], claimants(http, catalogue)[1]
    # /name alone stands for /name/: the route leads to / by itself
    base = http.path.removesuffix(path) + tool.mcp_path if http.path.endswith(path) else http.path
    added = "" if http.query == tool.mcp_query else http.query
    query = "&".join(part for part in (tool.mcp_query, added) if part)
    target = f"{base}?{query}" if query else base
    return None if target == (f"{http.path}?{http.query}" if http.query else http.path) else target
