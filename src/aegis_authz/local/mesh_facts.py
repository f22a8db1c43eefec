"""mesh.json: what a running mesh tells the commands that use it."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from shlex import quote

from aegis_authz import durable
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.encoding.narrowing import integer, items, mapping, members, number, text

FACTS_FILE = "mesh.json"
_LOCK_TRIES = 10
_LOCK_PAUSE = 0.02


class MeshNotRunning(Exception):
    """No mesh runs in that folder; the message says how to start one."""


class MeshRunning(Exception):
    """A mesh already runs in that folder."""

    def __init__(self, state: Path) -> None:
        super().__init__(f"a mesh already runs in {state}; stop it with: aegis down --dir {quote(str(state))}")


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """One process as its supervisor sees it. `pid` is None while it does not run; `since` is wall-clock seconds.

    `state` is that of `local.supervisor`; `why` says how it died last, "" when it never did.
    """

    name: str
    state: str
    pid: int | None
    restarts: int
    since: float
    why: str


@dataclass(frozen=True, slots=True)
class MeshFacts:
    """What mesh.json holds: every endpoint and process of a running mesh. `workload` are the agents with a port of
    their own, each with its URL.

    `authz`, `opa` and `redis` are unix sockets, `metrics` is a URL with its path, the other endpoints are base URLs;
    `prometheus` is "" where none runs; `state`, `run`, `policies` and `tools` are folders. `started` is in wall-clock
    seconds, `supervisor` a pid.
    """

    proxy: str
    reverse: str
    workload: Mapping[str, str]
    control: str
    evaluation: str
    metrics: str
    prometheus: str
    authz: tuple[str, ...]
    opa: str
    redis: str
    probe: str
    state: str
    run: str
    policies: str
    tools: str
    environment: str
    started: float
    supervisor: int
    processes: tuple[ProcessFacts, ...]

    @property
    def pids(self) -> dict[str, int]:
        """The processes that run, by name."""
        return {process.name: process.pid for process in self.processes if process.pid is not None}


_MEMBERS = {field.name for field in fields(MeshFacts)}
_TEXTS = _MEMBERS - {"workload", "authz", "started", "supervisor", "processes"}


def facts_to_json(facts: MeshFacts) -> dict[str, Json]:
    """The facts as mesh.json holds them, and as commands print them."""
    members = asdict(facts)
    processes = members.pop("processes")
    return {**members, "authz": list(facts.authz), "pids": facts.pids, "processes": list(processes)}


def write_facts(path: Path, facts: MeshFacts) -> None:
    """Write mesh.json whole or not at all, for the owner alone. Raises OSError."""
    durable.replace(path, json.dumps(facts_to_json(facts), indent=2).encode("utf-8") + b"\n")


def read_facts(state: Path) -> MeshFacts:
    """The facts of the mesh that runs in `state`. Raises MeshNotRunning."""
    if not is_running(state):
        raise MeshNotRunning(f"no mesh runs in {state}; start one with: aegis up --detach --dir {quote(str(state))}")
    facts = left_facts(state)
    if facts is None:
        raise MeshNotRunning(f"the mesh in {state} is still starting, or stopping")
    return facts


def left_facts(state: Path) -> MeshFacts | None:
    """What mesh.json says, also of a mesh that was killed; None when there is none.

    Raises MeshNotRunning for a file that no mesh of this version wrote.
    """
    path = state / FACTS_FILE
    try:
        return _facts(strict_json.parse(path.read_bytes()))
    except FileNotFoundError:
        return None
    except (OSError, Refused, ValueError) as fault:
        raise MeshNotRunning(f"{path} cannot be read: {fault}") from None


def _facts(data: Json) -> MeshFacts:
    item = members(data, {*_MEMBERS, "pids"}, "mesh.json")
    texts = {name: text(item[name], name) for name in _TEXTS}
    return MeshFacts(
        **texts,
        workload={agent: text(url, agent) for agent, url in mapping(item["workload"], "workload").items()},
        authz=tuple(text(address, "authz") for address in items(item["authz"], "authz")),
        started=float(number(item["started"], "started")),
        supervisor=integer(item["supervisor"], "supervisor"),
        processes=tuple(_process(process) for process in items(item["processes"], "processes")),
    )


def _process(data: Json) -> ProcessFacts:
    item = members(data, set(ProcessFacts.__slots__), "a process")
    return ProcessFacts(
        name=text(item["name"], "name"),
        state=text(item["state"], "state"),
        pid=None if item["pid"] is None else integer(item["pid"], "pid"),
        restarts=integer(item["restarts"], "restarts"),
        since=float(number(item["since"], "since")),
        why=text(item["why"], "why"),
    )


def is_running(state: Path) -> bool:
    """Whether a supervisor holds the folder's lock."""
    return lock_holder(state) is not None


def lock_holder(state: Path) -> int | None:
    """The pid of the supervisor that holds the folder's lock, 0 when it has not written it yet, None when none does."""
    try:
        with (state / "lock").open("rb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return int(lock.read() or b"0")
    except FileNotFoundError:
        return None
    return None


def take_lock(path: Path) -> int:
    """Take the folder's lock for as long as this process lives, and write our pid into it.

    Returns its descriptor. Raises MeshRunning.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    for _ in range(_LOCK_TRIES):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            time.sleep(_LOCK_PAUSE)  # it may be a command that only looks whether a mesh runs
    else:
        os.close(descriptor)
        raise MeshRunning(path.parent)
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor
