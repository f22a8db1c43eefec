"""mesh.json: what a running mesh tells the commands that use it."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


class MeshNotRunning(Exception):
    """No mesh runs in that folder; the message says how to start one."""


class MeshRunning(Exception):
    """A mesh already runs in that folder."""


def write_facts(path: Path, facts: Mapping[str, Any]) -> None:
    """Write mesh.json whole or not at all, for the owner alone."""
    draft = path.with_suffix(".draft")
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
        json.dump(facts, file, indent=2)
        file.write("\n")
    draft.replace(path)


def read_facts(state: Path) -> dict[str, Any]:
    """The facts of the mesh that runs in `state`. Raises MeshNotRunning."""
    if not is_running(state):
        raise MeshNotRunning(f"no mesh runs in {state}; start one with: aegis up --detach --dir {state}")
    try:
        facts: dict[str, Any] = json.loads((state / "mesh.json").read_text("utf-8"))
    except FileNotFoundError:
        raise MeshNotRunning(f"the mesh in {state} is still starting, or stopping") from None
    return facts


def is_running(state: Path) -> bool:
    """Whether a supervisor holds the folder's lock."""
    try:
        with (state / "lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def take_lock(path: Path) -> int:
    """Take the folder's lock for as long as this process lives, and write our pid into it.

    Returns its descriptor. Raises MeshRunning.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise MeshRunning(f"a mesh already runs in {path.parent}; stop it with: aegis down --dir {path.parent}") from None
    os.ftruncate(descriptor, 0)
    os.write(descriptor, str(os.getpid()).encode())
    return descriptor
