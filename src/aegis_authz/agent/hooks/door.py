"""The hook door: an HTTP server on this machine that coding agents ask before each call of a tool.

A call of an MCP server that the client reaches through the mesh passes here unasked: the gateway judges it, so that
one call is one decision and one approval.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from aiohttp import web

from aegis_authz.agent.admission import admit, read_body, require_own_host
from aegis_authz.agent.clients.kinds import KINDS
from aegis_authz.agent.clients.servers import Server, SettingsFault, read_servers
from aegis_authz.agent.hooks.dialects import Dialect, HookFault, ToolUse, allowed, refused, tool_use
from aegis_authz.agent.hooks.judging import HookJudge
from aegis_authz.agent.refusals import Unforwarded

PATH = "/v1/hooks"
_JSON = "application/json"


class GovernedServers:
    """The MCP servers of each client, as its settings have them when a call comes."""

    def __init__(self, home: Path, environment: Mapping[str, str], signers: Sequence[str]) -> None:
        """`signers` are base URLs behind which calls are judged."""
        self._home = home
        self._environment = environment
        self._signers = signers

    def judges(self, dialect: Dialect, use: ToolUse) -> bool:
        """Whether the call reaches its tool through the mesh alone: every server it may be of is led there."""
        try:
            servers = [server for server in self._servers(dialect, use) if use.is_of_server(server.name)]
        except SettingsFault:
            return False
        return bool(servers) and all(server.is_governed(self._signers) for server in servers)

    def _servers(self, dialect: Dialect, use: ToolUse) -> Iterator[Server]:
        kind = KINDS[dialect.value]
        files = list(kind.own_files(self._home, self._environment))
        if use.folder:
            project = Path(use.folder)
            files += [folder / file for folder in (project, *project.parents) for file in kind.project_files]
        for file in dict.fromkeys(files):
            yield from read_servers(file, kind)


class HookDoor:
    """Answers hooks at `/v1/hooks/CLIENT`. `uid` is whose processes may ask; root may as well."""

    def __init__(self, judge: HookJudge, servers: GovernedServers, uid: int) -> None:
        self._judge = judge
        self._servers = servers
        self._uid = uid

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """A decision with status 200; any other status is a fault, on which clients are set to stop the call."""
        try:
            admit(request, self._uid)
            require_own_host(request)
            dialect = _dialect(request)
            use = tool_use(await read_body(request))
        except Unforwarded as fault:
            return _fault(fault.cause.status, str(fault))
        except HookFault as fault:
            return _fault(400, str(fault))
        # beside the event loop: settings may be long, or on a slow disk, and others ask meanwhile
        if use.is_of_mcp and await asyncio.to_thread(self._servers.judges, dialect, use):
            return web.Response(body=allowed(dialect), content_type=_JSON)
        sentence = await self._judge.refusal(use)
        answer = allowed(dialect) if sentence is None else refused(dialect, sentence)
        return web.Response(body=answer, content_type=_JSON)


def _dialect(request: web.BaseRequest) -> Dialect:
    prefix, _, name = request.path.rpartition("/")
    if request.method != "POST" or prefix != PATH:
        raise HookFault(f"hooks are asked by POST {PATH}/CLIENT")
    try:
        return Dialect(name)
    except ValueError:
        raise HookFault(f"{name} is none of {', '.join(dialect.value for dialect in Dialect)}") from None


def _fault(status: int, sentence: str) -> web.Response:
    response = web.Response(status=status, text=f"{sentence}\n")
    response.force_close()
    return response
