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
    if http.method == "CONNECT":
        return (tunnel_target(http.host if http.port is None else f"{http.host}:{http.port}"),)
    query = f"?{http.query}" if http.query else ""
    if not http.tool_hint:
        return (_uri(http.scheme, http.host, http.port, http.path) + query,)
    # the gateway itself was addressed, in the scheme of its listener; what a proxy is asked for has one of its own
    scheme = "https" if http.over_tls else http.scheme
    addressed = _uri(scheme, http.host, http.port, http.path)
    tools, path = claimants(http, catalogue)
    return (addressed + query, *(_uri(http.scheme, tool.host, tool.port, path) + query for tool in tools))


def tunnel_target(authority: str) -> str:
    """The URI that names a CONNECT to `host:port`: the root of the server that it leads to."""
    return f"https://{authority.lower().removesuffix(':443')}/"


def _uri(scheme: str, host: str, port: int | None, path: str) -> str:
    authority = host if port is None or port == _DEFAULT_PORTS.get(scheme) else f"{host}:{port}"
    return f"{scheme}://{authority}{path}"
