"""How a running mesh is stopped from outside."""

from __future__ import annotations

import fcntl
import os
import signal
import time
from pathlib import Path

from aegis_authz.local.facts import is_running

_PATIENCE = 40.0
_LOOK_EVERY = 0.05


def stop_mesh(state: Path) -> bool:
    """Stop the mesh in `state` and wait until its supervisor is gone; False when none runs.

    The supervisor stops its processes first. One that does not listen is killed, and the kernel
    then kills its processes.
    """
    if not is_running(state):
        return False
    supervisor = _holder(state / "lock")
    if supervisor is None:
        return False
    os.kill(supervisor, signal.SIGTERM)
    if not _gone(state, _PATIENCE):
        os.kill(supervisor, signal.SIGKILL)
        _gone(state, _PATIENCE)
    return True


def _gone(state: Path, patience: float) -> bool:
    deadline = time.monotonic() + patience
    while is_running(state):
        if time.monotonic() > deadline:
            return False
        time.sleep(_LOOK_EVERY)
    return True


def _holder(lock: Path) -> int | None:
    """The process that holds the lock, None when it has just been let go."""
    with lock.open("r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(file.read() or b"0") or None
    return None
