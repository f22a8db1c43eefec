"""Clients of MCP led through the mesh by their settings, and what servers they have."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aegis_authz.adapters.files.sources import SourceFolderError, read_sources
from aegis_authz.agent.clients.backups import BackupFault
from aegis_authz.agent.clients.connecting import MeshServer, Plan, carry_out, connection, disconnection
from aegis_authz.agent.clients.kinds import KINDS, ClientKind
from aegis_authz.agent.clients.rewriting import Route
from aegis_authz.agent.clients.servers import Server, SettingsFault, read_servers
from aegis_authz.agent.enrolment import EnrolmentFault, users_agents
from aegis_authz.agent.hooks.entries import hook_settings
from aegis_authz.commands.agent import agents_home, chosen_agent, nearest_mesh
from aegis_authz.commands.faults import Rejected, Unable, unable_on
from aegis_authz.core.scope import Scope
from aegis_authz.local.mesh_facts import MeshNotRunning, read_facts
from aegis_authz.policy.load import load

_FAULTS = (SettingsFault, BackupFault, EnrolmentFault, MeshNotRunning, SourceFolderError, ValueError, OSError)


@dataclass(frozen=True, slots=True)
class ClientChoice:
    """Which settings: a client's own, those of the project in this folder, or the file that the user names."""

    client: str
    is_project: bool
    file: Path | None

    @property
    def kind(self) -> ClientKind:
        """What client it is. Raises Unable."""
        if self.client not in KINDS:
            raise Unable(f"{self.client} is none of {', '.join(KINDS)}")
        return KINDS[self.client]

    @property
    def settings(self) -> Path:
        """The file that is changed. Raises Unable."""
        return self.file_of(self.kind)

    def file_of(self, kind: ClientKind) -> Path:
        """Of these settings the file that is changed. Raises Unable."""
        if self.file is not None:
            return self.file.absolute()
        if not self.is_project:
            return kind.own_files(Path.home(), os.environ)[0]
        if not kind.project_files:
            raise Unable(f"{self.client} has no settings of a project")
        return Path.cwd() / kind.project_files[0]


@unable_on(*_FAULTS)
def plan_connection(
    choice: ClientChoice, state: Path | None, agent: str, servers: Sequence[str], signer: str
) -> tuple[Scope, Plan]:
    """The agent, and what leads its client to the mesh's MCP servers.

    `servers` are `NAME=TOOL/PATH` each; where none is given, all of the catalogue of the mesh on this machine. `signer`
    is the base URL of an `aegis agent proxy` for clients that speak HTTP; "" for commands that sign by themselves.
    Raises Unable, PolicyErrors.
    """
    state = nearest_mesh(state)
    scope = chosen_agent(agents_home(state), agent)
    place = ["--dir", str(state.resolve())] if state is not None else []
    mesh_servers = [
        MeshServer(name, host, _route(target, [*place, "--agent", str(scope)], signer))
        for name, host, target in (map(_named, servers) if servers else _of_catalogue(state))
    ]
    if not mesh_servers:
        raise Unable("the catalogue has no MCP server; name one with --server NAME=TOOL/PATH")
    return scope, connection(choice.settings, choice.kind, mesh_servers, backups_folder())


@unable_on(*_FAULTS)
def plan_disconnection(choice: ClientChoice) -> list[Plan]:
    """What takes the client's connection, and its hooks, back. Raises Unable, and Rejected where there is neither."""
    kinds = [kind for kind in (choice.kind, hook_settings(choice.client)) if kind is not None]
    plans = [disconnection(choice.file_of(kind), kind, backups_folder()) for kind in kinds]
    present = [plan for plan in plans if plan is not None]
    if not present:
        raise Rejected(f"{choice.settings} was not changed by aegis connect, or was taken back already")
    return present


@unable_on(*_FAULTS)
def carry_out_plan(plan: Plan) -> Path | None:
    """Write it; returns where the backup is. Raises Unable."""
    return carry_out(plan, backups_folder())


def diff(plan: Plan) -> str:
    """The plan as a diff, with little around it: settings hold secrets."""
    before, after = (
        (content or b"").decode("utf-8", "replace").splitlines(keepends=True) for content in (plan.before, plan.after)
    )
    return "".join(difflib.unified_diff(before, after, str(plan.file), str(plan.file), n=1))


@dataclass(frozen=True, slots=True)
class FoundServer:
    """One server of an inventory."""

    client: str
    file: Path
    server: Server
    is_governed: bool


@dataclass(frozen=True, slots=True)
class Inventory:
    """All servers in the settings there are, and the settings that could not be read."""

    servers: tuple[FoundServer, ...]
    faults: tuple[str, ...]


def inventory(signers: Sequence[str]) -> Inventory:
    """What MCP servers the clients of this user, and of the project in this folder, have.

    `signers` are base URLs behind which calls are judged, beside those of a mesh in `.aegis`.
    """
    servers: list[FoundServer] = []
    faults: list[str] = []
    for kind in KINDS.values():
        files = [*kind.own_files(Path.home(), os.environ), *(Path.cwd() / file for file in kind.project_files)]
        for file in dict.fromkeys(files):
            try:
                present = read_servers(file, kind)
            except SettingsFault as fault:
                faults.append(f"{kind.name}: {fault}")
                continue
            servers += (FoundServer(kind.name, file, server, server.is_governed(signers)) for server in present)
    return Inventory(tuple(servers), tuple(faults))


def backups_folder() -> Path:
    """Where the settings of before are kept."""
    return users_agents().parent / "connect"


def _route(target: str, options: Sequence[str], signer: str) -> Route:
    aegis = Path(sys.executable).with_name("aegis")
    url = f"{signer.rstrip('/')}/{target}" if signer else ""
    return Route(url, str(aegis), ("mcp", "proxy", target, *options))


def _named(text: str) -> tuple[str, str, str]:
    name, equals, target = text.partition("=")
    if not equals or not name or "/" not in target or "://" in target:
        raise Unable(f"{text!r} is not NAME=TOOL/PATH, such as github=github/mcp")
    return name, "", target.lstrip("/")


def _of_catalogue(state: Path | None) -> list[tuple[str, str, str]]:
    """Name, host and route of the MCP servers in the catalogue of a mesh on this machine."""
    if state is None:
        raise Unable("which servers? Name them with --server NAME=TOOL/PATH, or a mesh on this machine with --dir")
    tools = load({}, read_sources(Path(read_facts(state).tools))).tools
    return [
        (tool.name, tool.host if tool.port is None else f"{tool.host}:{tool.port}", f"{tool.name}{tool.mcp_path}")
        for tool in tools
        if tool.is_mcp
    ]
