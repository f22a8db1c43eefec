"""What a client's settings were before we changed them, and the way back.

A file that is still as we left it comes back byte for byte. One that the client has written to since keeps what it
wrote: our entries alone are taken back.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from aegis_authz import durable
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json
from aegis_authz.encoding.narrowing import items, members, text

_MEMBERS = {"file", "before", "left", "entries"}
_ENTRY = {"path", "before", "written"}


class BackupFault(Exception):
    """A backup cannot be read or written; the message names it."""


@dataclass(frozen=True, slots=True)
class Change:
    """One entry that we wrote, and the one that stood there before, None where there was none."""

    path: tuple[str, ...]
    before: Json
    written: Json


@dataclass(frozen=True, slots=True)
class Backup:
    """A file before our first change (None: there was none), the SHA-256 of how we left it, and what we changed."""

    file: Path
    before: bytes | None
    left: str
    changes: tuple[Change, ...]


def digest(content: bytes) -> str:
    """SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def backup_path(folder: Path, file: Path) -> Path:
    """Where the backup of a file lies."""
    return folder / f"{file.name.lstrip('.')}-{digest(str(file).encode())[:16]}.json"


def write_backup(folder: Path, backup: Backup) -> Path:
    """Keep a backup, for the owner alone: settings may hold secrets. Raises BackupFault."""
    path = backup_path(folder, backup.file)
    document = {
        "file": str(backup.file),
        "before": None if backup.before is None else base64.b64encode(backup.before).decode("ascii"),
        "left": backup.left,
        "entries": [
            {"path": list(change.path), "before": change.before, "written": change.written} for change in backup.changes
        ],
    }
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        durable.replace(path, json.dumps(document, indent=2).encode("utf-8") + b"\n")
    except OSError as fault:
        raise BackupFault(f"{path}: {fault.strerror}") from None
    return path


def read_backup(folder: Path, file: Path) -> Backup | None:
    """The backup of a file, None where we never changed it. Raises BackupFault."""
    path = backup_path(folder, file)
    try:
        data = members(strict_json.parse(path.read_bytes()), _MEMBERS, "a backup")
        before = data["before"]
        return Backup(
            file=Path(text(data["file"], "file")),
            before=None if before is None else base64.b64decode(text(before, "before"), validate=True),
            left=text(data["left"], "left"),
            changes=tuple(_change(entry) for entry in items(data["entries"], "entries")),
        )
    except FileNotFoundError:
        return None
    except (OSError, Refused, ValueError) as fault:
        raise BackupFault(f"{path} cannot be read: {fault}") from None


def drop_backup(folder: Path, file: Path) -> None:
    """Forget a backup. Raises BackupFault."""
    path = backup_path(folder, file)
    try:
        path.unlink(missing_ok=True)
    except OSError as fault:
        raise BackupFault(f"{path}: {fault.strerror}") from None


def _change(data: Json) -> Change:
    entry = members(data, _ENTRY, "an entry")
    path = tuple(text(name, "path") for name in items(entry["path"], "path"))
    return Change(path, entry["before"], entry["written"])
