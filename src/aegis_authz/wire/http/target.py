"""The URIs of a request, as whoever sent it may have written them (RFC 9110 section 7.1)."""

from __future__ import annotations

from aegis_authz.core.catalogue import Catalogue
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.tool_call import claimants

_DEFAULT_PORTS = {"http": 80, "https": 443}


def targets(http: HttpCall, catalogue: Catalogue) -> tuple[str, ...]:
    """The URIs that name this request: as it was addressed, and on a reverse route also as its tool is.

    In normal form: scheme and host in lower case, no default port; path and query to the byte.
    """
    addressed = _uri(http, http.host, http.port, http.path)
    if not http.tool_hint:
        return (addressed,)
    tools, path = claimants(http, catalogue)
    return (addressed, *(_uri(http, tool.host, tool.port, path) for tool in tools))


def _uri(http: HttpCall, host: str, port: int | None, path: str) -> str:
    authority = host if port is None or port == _DEFAULT_PORTS.get(http.scheme) else f"{host}:{port}"
    query = f"?{http.query}" if http.query else ""
    return f"{http.scheme}://{authority}{path}{query}"
