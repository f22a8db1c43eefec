"""mesh.json: what a running mesh tells the commands that use it."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aegis_authz import durable

_LOCK_TRIES = 10
_LOCK_PAUSE = 0.02


class MeshNotRunning(Exception):
    """No mesh runs in that folder; the message says how to start one."""


class MeshRunning(Exception):
    """A mesh already runs in that folder."""

    def __init__(self, state: Path) -> None:
        super().__init__(f"a mesh already runs in {state}; stop it with: aegis down --dir {state}")


def write_facts(path: Path, facts: Mapping[str, Any]) -> None:
    """Write mesh.json whole or not at all, for the owner alone."""
    durable.replace(path, json.dumps(facts, indent=2).encode("utf-8") + b"\n")


def read_facts(state: Path) -> dict[str, Any]:
    """The facts of the mesh that runs in `state`. Raises MeshNotRunning."""
    if not is_running(state):
        raise MeshNotRunning(f"no mesh runs in {state}; start one with: aegis up --detach --dir {state}")
    facts = left_facts(state)
    if not facts:
        raise MeshNotRunning(f"the mesh in {state} is still starting, or stopping")
    return facts


def left_facts(state: Path) -> dict[str, Any]:
    """What mesh.json says, also of a mesh that was killed; empty when there is none."""
    try:
        facts: dict[str, Any] = json.loads((state / "mesh.json").read_text("utf-8"))
    except FileNotFoundError:
        return {}
    return facts


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
