"""Hooks of coding agents: the door that answers them, and the client's settings that ask it."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from aegis_authz.agent.clients.backups import BackupFault
from aegis_authz.agent.clients.connecting import Plan, addition
from aegis_authz.agent.clients.servers import SettingsFault
from aegis_authz.agent.hooks.dialects import Dialect
from aegis_authz.agent.hooks.door import PATH, GovernedServers, HookDoor
from aegis_authz.agent.hooks.entries import HOOK_KINDS, hook_entry, version_of
from aegis_authz.agent.hooks.judging import HookJudge, HookTarget
from aegis_authz.agent.serving import ListenFault, Listening, serving
from aegis_authz.commands.agent import AgentSide, Report, nearest_mesh, open_caller
from aegis_authz.commands.connect import ClientChoice, backups_folder
from aegis_authz.commands.faults import Rejected, Unable, unable_on
from aegis_authz.core.json_value import Json
from aegis_authz.local.mesh import stop_signals
from aegis_authz.local.mesh_facts import MeshNotRunning, read_facts

HOOK_SECONDS = 60
"""How long a client waits for the door; longer than the door waits for a person and for the mesh."""
_VERSION_SECONDS = 30
_TRUST = "codex runs a hook once you have trusted it there (/hooks), and until then calls every tool unasked"


@unable_on(MeshNotRunning, ValueError)
def hook_target(side: AgentSide, state: Path | None, evaluation: str, tool: str, wait: int) -> HookTarget:
    """Where the agent's calls are asked about. Raises Unable."""
    mesh = nearest_mesh(state)
    if not evaluation:
        if mesh is None:
            raise Unable("where is the evaluation endpoint? Name it with --evaluation, or a mesh here with --dir")
        evaluation = read_facts(mesh).evaluation
    return HookTarget(evaluation.rstrip("/"), side.enrolment.agent, tool, wait)


async def serve_hooks(
    side: AgentSide,
    target: HookTarget,
    signers: Sequence[str],
    listen: str,
    report: Report,
    started: Callable[[Listening], None],
) -> None:
    """Serve the door until SIGINT, SIGTERM or SIGHUP; `started` is called once it listens. Raises Unable."""
    stop = stop_signals()
    servers = GovernedServers(Path.home(), os.environ, signers)
    async with open_caller(side, report) as caller:
        door = HookDoor(HookJudge(caller, target), servers, os.getuid())
        try:
            async with serving(door, listen) as listening:
                started(listening)
                await stop.wait()
        except ListenFault as fault:
            raise Unable(str(fault)) from None


@unable_on(SettingsFault, BackupFault, OSError, ValueError)
def plan_hooks(choice: ClientChoice, url: str) -> tuple[Plan, str]:
    """What has a client ask the door at this base URL, and what its user must do besides ("": nothing).

    Raises Unable, and Rejected for a client that would call a tool although nobody answered.
    """
    dialect = next((dialect for dialect in Dialect if dialect.value == choice.client), None)
    if dialect is None:
        raise Unable(f"hooks are written for {', '.join(dialect.value for dialect in Dialect)}")
    parts = urlsplit(url)
    if parts.scheme != "http" or parts.hostname not in ("127.0.0.1", "localhost", "::1") or parts.path.strip("/"):
        raise Unable(f"{url} is not the address of an aegis agent hooks on this machine, such as http://127.0.0.1:7171")
    kind = HOOK_KINDS[dialect]
    _require_fail_closed(choice.client, kind.program, kind.first)
    door = f"{url.rstrip('/')}{PATH}/{choice.client}"
    entries: dict[tuple[str, ...], Json] = {(name,): value for name, value in kind.members.items()}
    entries["hooks", kind.event] = [hook_entry(dialect, door, HOOK_SECONDS)]
    plan = addition(choice.file_of(kind.settings), kind.settings, entries, backups_folder())
    return plan, _TRUST if dialect is Dialect.CODEX else ""


def _require_fail_closed(client: str, program: str, first: tuple[int, int, int]) -> None:
    least = ".".join(map(str, first))
    try:
        done = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=_VERSION_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        raise Rejected(
            f"{program} does not say its version: only {client} {least} and later stop a call that no hook judged"
        ) from None
    version = version_of(done.stdout)
    if version is None or version < first:
        shown = done.stdout.partition("\n")[0].strip() or "of an unknown version"
        raise Rejected(f"{client} {shown} calls a tool although its hook failed: update it to {least} or later")
