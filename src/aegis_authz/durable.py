"""Files that are whole or absent, and still there after a power cut."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path


def create(path: Path, content: bytes, mode: int = 0o600) -> bool:
    """Write a file that must not exist yet; False, touching nothing, when it does. Raises OSError."""
    beside = _write_beside(path, content, mode)
    try:
        os.link(beside, path)  # unlike a rename, never replaces what another process just made
    except FileExistsError:
        return False
    finally:
        os.unlink(beside)
    sync_folder(path.parent)
    return True


def replace(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Write a file in place of the one there, in one step for every reader. Raises OSError."""
    beside = _write_beside(path, content, mode)
    try:
        os.replace(beside, path)
    except BaseException:
        os.unlink(beside)
        raise
    sync_folder(path.parent)


def append(path: Path, line: bytes, mode: int = 0o600) -> None:
    """Add bytes at the end of a file, making it if need be, and return once they are on disk. Raises OSError."""
    with open(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, mode), "ab", buffering=0) as file:
        if file.write(line) != len(line):
            raise OSError(f"{path}: the disk took only part of a line")
        os.fsync(file.fileno())
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable. Raises OSError."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_beside(path: Path, content: bytes, mode: int) -> Path:
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
    except BaseException:
        os.unlink(name)
        raise
    return Path(name)
