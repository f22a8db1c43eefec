"""How a running mesh is stopped from outside."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from aegis_authz.local.layout import discard_leftovers
from aegis_authz.local.mesh_facts import MeshNotRunning, MeshRunning, left_facts, lock_holder, take_lock

_PATIENCE = 40.0
_KILL_PATIENCE = 5.0
_LOOK_EVERY = 0.05


class CannotStop(Exception):
    """The mesh does not end; the message names what is left."""


def stop_mesh(state: Path, patience: float = _PATIENCE) -> bool:
    """Stop the mesh in `state` and wait until all of it is gone; False when none runs.

    The supervisor stops its processes first. One that does not listen for `patience` seconds is killed, and
    the kernel then kills its processes. What is left of a mesh that was killed is removed. Raises CannotStop, OSError.
    """
    supervisor = _holder(state)
    if supervisor is None:
        _discard(state)
        return False
    pids = [supervisor, *_processes(state)]

    def is_gone() -> bool:
        return lock_holder(state) != supervisor

    _signal(supervisor, signal.SIGTERM)
    if not _comes_true(is_gone, patience):
        _signal(supervisor, signal.SIGKILL)
    # on a machine that is busy an interpreter takes seconds to end after it let go of its lock
    if not _comes_true(lambda: is_gone() and not any(_lives(pid) for pid in pids), max(patience, _KILL_PATIENCE)):
        left = ", ".join(str(pid) for pid in pids if _lives(pid))
        raise CannotStop(f"the mesh in {state} does not end; these processes are left: {left}")
    _discard(state)
    return True


def _processes(state: Path) -> list[int]:
    try:
        facts = left_facts(state)
    except MeshNotRunning:
        return []  # a mesh of another version: its supervisor stops what it started
    return [] if facts is None else list(facts.pids.values())


def _discard(state: Path) -> None:
    """Remove what is left, unless a mesh has just been started there."""
    if not (state / "lock").exists():
        return
    try:
        lock = take_lock(state / "lock")
    except MeshRunning:
        return  # it removes what it finds itself
    try:
        discard_leftovers(state)
    finally:
        os.close(lock)


def _holder(state: Path) -> int | None:
    """The supervisor's pid, None when there is none."""
    _comes_true(lambda: lock_holder(state) != 0, _KILL_PATIENCE)  # it writes its pid just after taking the lock
    return lock_holder(state) or None


def _signal(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        return  # it ended in between


def _lives(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("ascii", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"  # a zombie holds nothing any more


def _comes_true(is_so: Callable[[], bool], patience: float) -> bool:
    deadline = time.monotonic() + patience
    while not is_so():
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_EVERY)
    return True
