"""How `aegis up` runs a mesh: in the foreground, or as a supervisor of its own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import typer

from aegis_authz.local.facts import MeshRunning, read_facts
from aegis_authz.local.servers import ServerMissing
from aegis_authz.local.settings import MeshOptions
from aegis_authz.local.supervisor import StartFailed, State, Status

_READY = b"ready\n"


def run_foreground(state: Path, options: MeshOptions, ready_fd: int, as_json: bool) -> None:
    """Run until told to stop. Exits with 1 when the mesh cannot start, and says why.

    `ready_fd` is a pipe on which a detaching parent waits, -1 for none.
    """
    from aegis_authz.bootstrap.mesh import MESH_FAULTS, mesh

    shown: set[tuple[str, State, int]] = set()

    def observe(statuses: Sequence[Status]) -> None:
        for status in statuses:
            note = (status.name, status.state, status.restarts)
            if note not in shown and status.state is not State.STOPPED:
                shown.add(note)
                typer.echo(f"{status.name}: {status.state.value}{f' (pid {status.pid})' if status.pid else ''}", err=True)

    def started(facts: dict[str, object]) -> None:
        if ready_fd >= 0:
            os.write(ready_fd, _READY)
            os.close(ready_fd)
        else:
            typer.echo(json.dumps(facts, indent=2) if as_json else endpoints(state, facts))

    try:
        asyncio.run(mesh(state, options).run(observe, started))
    except (StartFailed, ServerMissing, MeshRunning, OSError, *MESH_FAULTS) as fault:
        typer.echo(f"aegis up: {fault}", err=True)
        raise typer.Exit(1) from None


def run_detached(state: Path, arguments: Sequence[str], as_json: bool) -> None:
    """Start a supervisor that outlives this command; return when the mesh is ready, exit with 1 when it is not."""
    log = state / "logs" / "mesh.log"
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    before = log.stat().st_size if log.exists() else 0
    reader, writer = os.pipe()
    with log.open("ab") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "aegis_authz.cli", *arguments, "--ready-fd", str(writer)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(writer,),
            start_new_session=True,
        )
    os.close(writer)
    with open(reader, "rb") as pipe:
        is_ready = pipe.read() == _READY
    if not is_ready:
        supervisor.wait()
        with log.open("rb") as written:
            written.seek(before)
            typer.echo(written.read().decode("utf-8", "replace").strip(), err=True)
        raise typer.Exit(1)
    facts = read_facts(state)
    typer.echo(json.dumps(facts, indent=2) if as_json else endpoints(state, facts))


def endpoints(state: Path, facts: dict[str, object]) -> str:
    """Where the mesh listens, and a call to try."""
    mint = f"aegis token mint --dir {state} --org acme --tenant emea --agent finance-agent"
    return "\n".join(
        (
            f"The mesh is up in {state}.",
            f"  proxy    {facts['proxy']}   (agents: HTTP_PROXY)",
            f"  reverse  {facts['reverse']}/<tool>/...",
            f"  control  {facts['control']}",
            f"  metrics  {facts['metrics']}",
            "Try:",
            f"  curl -x {facts['proxy']} -H \"x-aegis-token: $({mint})\" -d '{{\"amount\":50000}}' \\",
            "    http://api.stripe.example/v1/payments",
            f"Prove it:  aegis doctor --dir {state}      Stop it:  aegis down --dir {state}",
        )
    )
