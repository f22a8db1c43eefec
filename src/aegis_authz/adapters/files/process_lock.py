"""A file that one process holds while it lives: whatever becomes of it, the lock ends with it."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class PlaceBusy(Exception):
    """Another process has it; the message is fit to show."""


class ProcessLock:
    """The lock of a file, from now on until `close`."""

    def __init__(self, path: Path, place: str) -> None:
        """`place` is what it stands for, in words. Raises PlaceBusy, OSError."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._descriptor)
            raise PlaceBusy(f"another control plane is using {place}") from None

    def close(self) -> None:
        """Give it up to the next process."""
        os.close(self._descriptor)
