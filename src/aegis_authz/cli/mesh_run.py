"""How `aegis up` runs a mesh: in the foreground, or as a supervisor of its own."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import typer

from aegis_authz.cli.exit_codes import REFUSED
from aegis_authz.cli.mesh_text import EXAMPLE, endpoints
from aegis_authz.lab.first_call import FirstCall
from aegis_authz.local.mesh_facts import MeshFacts, facts_to_json, read_facts
from aegis_authz.local.process import default_signals
from aegis_authz.local.settings import MeshOptions
from aegis_authz.local.supervisor import ProcessState, Status

_READY = "ready"


def run_foreground(state: Path, options: MeshOptions, as_json: bool) -> None:
    """Run until told to stop. Exits with 1 when the mesh cannot start, and says why."""

    def started(facts: MeshFacts) -> None:
        typer.echo(_words(state, facts, as_json))

    _run(state, options, Progress(_tell), started)


def run_supervisor(state: Path, options: MeshOptions, ready_fd: int) -> None:
    """Run for a parent that waits at the other end of the pipe `ready_fd` for progress and for the word that all is
    up.
    """
    with open(ready_fd, "w", encoding="utf-8", buffering=1) as pipe:

        def tell(line: str) -> None:
            if pipe.closed:
                _tell(line)
                return
            try:
                print(line, file=pipe)
            except BrokenPipeError:
                _tell(line)  # the parent is gone; its end does not end the mesh

        def started(_: MeshFacts) -> None:
            tell(_READY)
            pipe.close()

        _run(state, options, Progress(tell), started)


def run_detached(state: Path, arguments: Sequence[str], as_json: bool) -> None:
    """Start a supervisor that outlives this command; return when the mesh is ready, exit with 1 when it is not.

    `arguments` are those of `aegis up` for the supervisor.
    """
    log = state / "logs" / "mesh.log"
    log.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    before = log.stat().st_size if log.exists() else 0
    reader, writer = os.pipe()
    with log.open("ab") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-P", "-m", "aegis_authz.cli", "up", *arguments, "--ready-fd", str(writer)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            pass_fds=(writer,),
            start_new_session=True,
            preexec_fn=default_signals,  # noqa: PLW1509  # this process has one thread
        )
    os.close(writer)
    try:
        is_ready = _follow(reader)
    except BaseException:
        supervisor.terminate()  # interrupted: nothing half-started is left
        supervisor.wait()
        raise
    if not is_ready:
        supervisor.wait()
        with log.open("rb") as log_file:
            log_file.seek(before)
            typer.echo(log_file.read().decode("utf-8", "replace").strip(), err=True)
        raise typer.Exit(REFUSED)
    facts = read_facts(state)
    typer.echo(_words(state, facts, as_json))


class Progress:
    """Says each step of a process once."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._notes: set[tuple[str, ProcessState, int]] = set()
        self._began = time.monotonic()

    def __call__(self, statuses: Sequence[Status]) -> None:
        """Say what is new."""
        for status in statuses:
            note = (status.name, status.state, status.restarts)
            if note in self._notes or (
                status.state is ProcessState.STOPPED and status.restarts == 0 and not self._notes
            ):
                continue
            self._notes.add(note)
            self._say(status)

    def _say(self, status: Status) -> None:
        after = f"{time.monotonic() - self._began:6.2f} s"
        match status.state:
            case ProcessState.READY:
                self._tell(f"{after}  {status.name} is ready (pid {status.pid})")
            case ProcessState.WAITING:
                self._tell(f"{after}  {status.name} {status.why}; it is started again")
            case ProcessState.STARTING | ProcessState.STOPPED:
                return  # the next step is worth a line, these are not


def _words(state: Path, facts: MeshFacts, as_json: bool) -> str:
    """What is printed of a mesh that is up. A link to sign in is for who reads it here and now, and so not in JSON."""
    if as_json:
        return json.dumps(facts_to_json(facts), indent=2)
    return endpoints(state, facts, _call_to_try(facts), _owner_link(facts))


def _owner_link(facts: MeshFacts) -> str:
    """A link by which the owner signs in, "" where none is had: the mesh is up all the same."""
    from aegis_authz.commands.faults import CommandFault
    from aegis_authz.commands.people import owner_link

    try:
        return owner_link(facts, "aegis up")
    except CommandFault as fault:
        _tell(f"no link to sign in: {fault}")
        return ""


def _call_to_try(facts: MeshFacts) -> FirstCall | None:
    """A call that the served documents speak of, None where none is found: the mesh is up all the same."""
    from aegis_authz.commands.faults import CommandFault
    from aegis_authz.commands.lab import loaded_folders
    from aegis_authz.lab.first_call import first_call
    from aegis_authz.local.documents import example_documents
    from aegis_authz.policy.source.problems import PolicyErrors

    policies = Path(facts.policies)
    if policies == (example_documents() / "agents").resolve():
        return EXAMPLE
    try:
        return first_call(loaded_folders(policies, Path(facts.tools)))
    except (CommandFault, PolicyErrors, OSError):
        return None


def _run(state: Path, options: MeshOptions, progress: Progress, started: Callable[[MeshFacts], None]) -> None:
    from aegis_authz.commands.faults import Unable
    from aegis_authz.commands.mesh import run_mesh
    from aegis_authz.policy.source.problems import PolicyErrors

    try:
        asyncio.run(run_mesh(state, options, progress, started))
    except (Unable, PolicyErrors) as fault:
        typer.echo(f"aegis up: {fault}", err=True)
        raise typer.Exit(REFUSED) from None


def _follow(reader: int) -> bool:
    """Show the supervisor's progress until it is up or gone; returns whether it is up."""
    with open(reader, encoding="utf-8") as pipe:
        for line in pipe:
            if line.rstrip() == _READY:
                return True
            _tell(line.rstrip())
    return False


def _tell(line: str) -> None:
    typer.echo(line, err=True)
