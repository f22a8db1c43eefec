"""MCP over stdio at both ends of a mesh: clients led into it, servers set behind it."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from aegis_authz.adapters.system import SystemIds
from aegis_authz.agent.mcp.standard_streams import input_lines, print_line
from aegis_authz.agent.mcp.stdio_client import StdioClient
from aegis_authz.agent.mcp.wrapping import PATH, wrapped_server
from aegis_authz.agent.mesh import MeshAddress
from aegis_authz.agent.serving import ListenFault, serving
from aegis_authz.commands.agent import AgentSide, Report, open_caller
from aegis_authz.commands.faults import Unable
from aegis_authz.local.mesh import stop_signals


async def proxy_stdio(side: AgentSide, server: str, report: Report) -> None:
    """Carry MCP between standard input and output and a server behind the mesh until input ends. Raises Unable."""
    mesh = MeshAddress(side.enrolment.proxy, side.enrolment.reverse)
    url, is_forward = endpoint(server, mesh)
    try:
        async with open_caller(side, report) as caller, asyncio.TaskGroup() as group:
            carrying = group.create_task(StdioClient(caller, url, is_forward, print_line).run(input_lines()))
            for number in (signal.SIGTERM, signal.SIGHUP):
                asyncio.get_running_loop().add_signal_handler(number, carrying.cancel)
    except* BrokenPipeError:
        report("the client reads no more")


def endpoint(server: str, mesh: MeshAddress) -> tuple[str, bool]:
    """The URL of an MCP endpoint and whether it is called through the forward proxy.

    `server` is the server's own URL, or `TOOL/PATH` for a reverse route. The mesh is spoken to in plain HTTP, and
    speaks TLS to the server where the catalogue says so. Raises Unable.
    """
    if "://" not in server:
        return f"{mesh.reverse}/{server.lstrip('/')}", False
    parts = urlsplit(server)
    try:
        port = parts.port
    except ValueError:
        raise Unable(f"{server} is not a URL") from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment:
        raise Unable(f"{server} is not the http or https URL of an MCP endpoint")
    authority = parts.hostname if port in (None, 443 if parts.scheme == "https" else 80) else f"{parts.hostname}:{port}"
    query = f"?{parts.query}" if parts.query else ""
    return f"http://{authority}{parts.path or '/'}{query}", True


async def wrap_stdio(words: Sequence[str], listen: str, started: Callable[[str], None]) -> None:
    """Serve a command that speaks MCP over stdio as an MCP endpoint until told to stop. Raises Unable."""
    stop = stop_signals()
    try:
        async with (
            wrapped_server(words, os.getuid(), SystemIds().token) as server,
            serving(server, listen) as listening,
        ):
            started(f"{listening.url}{PATH}" if listening.url else listening.address)
            await stop.wait()
    except ListenFault as fault:
        raise Unable(str(fault)) from None
