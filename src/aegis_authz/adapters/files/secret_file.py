"""Who may be able to read a file of a secret, and reading it."""

from __future__ import annotations

import os
import stat
from pathlib import Path

_OTHERS = 0o077
_OTHERS_OF_ROOTS = 0o037
_MOST_BYTES = 16_384
_ROOT = 0


class SecretUnusable(Exception):
    """A file of a secret is missing, unreadable, readable by others or no file; fit to show, holds no secret."""


def read_secret(path: Path, most_bytes: int = _MOST_BYTES) -> bytes:
    """What a file holds that only its reader can read, at most `most_bytes`. Raises SecretUnusable."""
    try:
        # The open file is judged, not the name: what is checked is what is read.
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise SecretUnusable(f"{path}: not a regular file")
            mode = stat.S_IMODE(status.st_mode)
            if is_exposed(mode, status.st_uid, os.geteuid()):
                raise SecretUnusable(f"{path}: mode {mode:04o} lets others use this secret; run: chmod 600 {path}")
            return file.read(most_bytes)
    except FileNotFoundError:
        raise SecretUnusable(f"{path}: no such file; the secrets of a mesh are made once, by: aegis init") from None
    except OSError as fault:
        raise SecretUnusable(f"{path}: {fault.strerror}") from None


def is_exposed(mode: int, owner: int, reader: int) -> bool:
    """Whether others than `reader` and root can use a file of this mode and this owner.

    A file of root's may be readable by a group: that is how Kubernetes gives a secret to a process that is not root.
    (PostgreSQL holds the files of its private keys to the same.)
    """
    return bool(mode & (_OTHERS_OF_ROOTS if owner == _ROOT != reader else _OTHERS))
