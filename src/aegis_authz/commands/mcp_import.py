"""MCP servers of a client brought under the mesh: their tools listed, a catalogue and a policy written from those."""

from __future__ import annotations

import asyncio
import os
import shlex
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx2
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client

from aegis_authz.agent.clients.kinds import KINDS, ClientKind, Format
from aegis_authz.agent.clients.servers import Server, SettingsFault, read_servers
from aegis_authz.agent.mcp.importing import ListedServer, ListedTool, cases_text, catalogue_text, policy_text
from aegis_authz.commands.faults import Unable, unable_on
from aegis_authz.core.scope import Scope
from aegis_authz.policy.format.formatting import formatted
from aegis_authz.policy.load import load

_SECONDS = 30
_FIRST_PORT = 9101
_MOST_PAGES = 100
_SECTIONS = ("cursor", "vscode", "zed")
"""A client for each word that a JSON file may keep its servers under."""


@dataclass(frozen=True, slots=True)
class Import:
    """What came of an import: the files by their place, how to serve what speaks stdio, and who did not answer."""

    files: tuple[Path, ...]
    servers: tuple[ListedServer, ...]
    commands: tuple[str, ...]
    notes: tuple[str, ...]
    faults: tuple[str, ...]


@unable_on(SettingsFault, OSError)
def import_servers(settings: Path, folder: Path, agent: Scope, owner: str) -> Import:
    """Start or ask each server that the settings name and the mesh does not lead to, and write documents about it.

    Into `folder`/tools and `folder`/agents; nothing that is there is overwritten. Raises Unable, and PolicyErrors when
    a server lists what no catalogue can hold.
    """
    servers = [server for server in _servers(settings) if not server.is_governed(())]
    if not servers:
        raise Unable(f"{settings} names no server that the mesh does not lead to")
    listed, faults = asyncio.run(_listed(servers))
    if not listed:
        raise Unable("; ".join(faults))
    texts = {f"tools/{server.tool}.yaml": catalogue_text(server, owner) for server in listed}
    texts[f"agents/{agent.agent}.yaml"] = policy_text(listed, agent, owner)
    texts[f"agents/{agent.agent}_test.yaml"] = cases_text(listed, agent)
    texts = {path: formatted(path, text) for path, text in texts.items()}
    _check(texts, folder)
    commands = tuple(_wrap_command(server) for server in listed if server.port)
    return Import(_write(texts, folder), tuple(listed), commands, tuple(_notes(listed)), tuple(faults))


@dataclass(frozen=True, slots=True)
class ServerEntry:
    """The name of a tool and the text of its catalogue entry, with a sentence on each thing it leaves out."""

    tool: str
    text: str
    notes: tuple[str, ...]


def entry_of_server(url: str, name: str, owner: str) -> ServerEntry:
    """The entry of the MCP server at a URL, from the tools that it lists.

    `name` is "" for one made of the host. Raises Unable, PolicyErrors.
    """
    host = urlsplit(url).hostname
    if not url.startswith(("http://", "https://")) or not host:
        raise Unable(f"{url.rpartition('@')[2][:100]!r} is not a URL of http or https")
    listed, faults = asyncio.run(_listed([Server((name or host.replace(".", "-"),), url, "", (), {}, {})]))
    if not listed:
        raise Unable("; ".join(faults))
    path = f"{listed[0].tool}.yaml"
    text = formatted(path, catalogue_text(listed[0], owner))
    load({}, {path: text})
    return ServerEntry(listed[0].tool, text, tuple(_notes(listed)))


def _servers(settings: Path) -> list[Server]:
    kinds: list[ClientKind]
    if settings.suffix == ".toml":
        kinds = [KINDS["codex"]]
    elif settings.suffix in (".yaml", ".yml"):
        kinds = [kind for kind in KINDS.values() if kind.format is Format.YAML]
    else:
        kinds = [KINDS["claude-code"], *(KINDS[name] for name in _SECTIONS[1:])]
    if not settings.is_file():
        raise Unable(f"there is no file {settings}")
    by_path = {server.path: server for kind in kinds for server in read_servers(settings, kind)}
    return list(by_path.values())


async def _listed(servers: Sequence[Server]) -> tuple[list[ListedServer], list[str]]:
    """The servers that answer, with their tools, and why the others do not; one after the other."""
    listed: list[ListedServer] = []
    faults: list[str] = []
    for server in servers:
        port = 0 if server.url else _FIRST_PORT + sum(1 for before in listed if before.port)
        try:
            async with asyncio.timeout(_SECONDS):
                tools = await _tools(server)
        except Exception as fault:  # noqa: BLE001  # a foreign program and a foreign library: whatever they raise is its fault
            faults.append(f"{server.name} does not list its tools: {_innermost(fault)}")
            continue
        listed.append(ListedServer(server, tools, port))
    return listed, faults


async def _tools(server: Server) -> tuple[ListedTool, ...]:
    tools: list[ListedTool] = []
    async with _client(server) as client:
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = await client.list_tools(cursor=cursor)
            tools += (
                ListedTool(
                    tool.name,
                    tool.description or "",
                    tool.input_schema,
                    tool.annotations is not None and tool.annotations.read_only_hint is True,
                )
                for tool in page.tools
            )
            cursor = page.next_cursor
            if cursor is None:
                break
    return tuple(tools)


@asynccontextmanager
async def _client(server: Server) -> AsyncIterator[Client]:
    if server.url:
        async with (
            httpx2.AsyncClient(headers=dict(server.headers), timeout=_SECONDS, follow_redirects=False) as http,
            Client(streamable_http_client(server.url, http_client=http)) as client,
        ):
            yield client
        return
    environment = {**os.environ, **server.environment}
    parameters = StdioServerParameters(command=server.command, args=list(server.arguments), env=environment)
    with open(os.devnull, "w", encoding="utf-8") as nowhere:  # noqa: ASYNC230  # opens at once
        async with Client(stdio_client(parameters, errlog=nowhere)) as client:
            yield client


def _innermost(fault: BaseException) -> str:
    while isinstance(fault, BaseExceptionGroup):
        fault = fault.exceptions[0]
    if isinstance(fault, TimeoutError):
        return f"no answer within {_SECONDS} s"
    return str(fault) or type(fault).__name__


def _check(texts: dict[str, str], folder: Path) -> None:
    """What is written must be valid by itself. Raises PolicyErrors, Unable."""
    existing_paths = [str(folder / path) for path in texts if (folder / path).exists()]
    if existing_paths:
        raise Unable(f"{', '.join(existing_paths)} is there already, and nothing is overwritten")
    policies = {path: text for path, text in texts.items() if path.startswith("agents/") and "_test." not in path}
    tools = {path: text for path, text in texts.items() if path.startswith("tools/")}
    load(policies, tools)


def _write(texts: dict[str, str], folder: Path) -> tuple[Path, ...]:
    paths: list[Path] = []
    for name, text in texts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
        paths.append(path)
    return tuple(paths)


def _wrap_command(listed: ListedServer) -> str:
    words = (listed.server.command, *listed.server.arguments)
    return f"aegis mcp wrap --listen 127.0.0.1:{listed.port} -- {shlex.join(words)}"


def _notes(servers: Sequence[ListedServer]) -> list[str]:
    notes: list[str] = []
    for listed in servers:
        if listed.server.environment:
            notes.append(f"{listed.tool}: set {', '.join(sorted(listed.server.environment))} where it is wrapped")
        if listed.server.headers:
            names = ", ".join(sorted(listed.server.headers))
            notes.append(f"{listed.tool}: {names} of the settings is not taken over; inject it (inject_credentials)")
        if "?" in listed.server.url:
            advice = "if it is none, write it into upstream, or what agents may add into mcp.query"
            notes.append(f"{listed.tool}: the query of its URL may be a secret and is left out; {advice}")
        if "@" in urlsplit(listed.server.url).netloc:
            notes.append(f"{listed.tool}: the credential in its URL is left out; inject it (inject_credentials)")
    return notes
