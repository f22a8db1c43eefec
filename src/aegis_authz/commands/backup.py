"""A backup of what a control plane keeps, as one file, and the way back. Both raise Unable and Rejected."""

from __future__ import annotations

import asyncio
import io
import json
import os
import sqlite3
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import Any

from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.dump import Rows, dump, load
from aegis_authz.bootstrap.database import DATABASE_FILE, database_url
from aegis_authz.bootstrap.people import FIRST_OWNER_FILE
from aegis_authz.bootstrap.settings import SettingsError, load_settings
from aegis_authz.commands.faults import Rejected, Unable, unable_on
from aegis_authz.config.control import ControlSettings
from aegis_authz.ports.database import DatabaseFault

_FORMAT = 1
_DATABASE, _STATE = "database.json", "state"
_LEFT_OUT = (DATABASE_FILE, f"{DATABASE_FILE}.lock", FIRST_OWNER_FILE)
_SQLITE = b"SQLite format 3\x00"


def back_up(config: Path, target: Path) -> int:
    """Write the database and the state of the control plane of these settings into a new file; returns its bytes.

    The control plane may run meanwhile. Keys and records are not in it. Raises Unable.
    """
    settings = _settings(config)
    with unable_on(DatabaseFault, OSError, sqlite3.Error):
        revision, rows = asyncio.run(_dumped(settings))
        content = {"format": _FORMAT, "revision": revision, "rows": rows}
        # password hashes are in it
        with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as file:
            with tarfile.open(fileobj=file, mode="w:gz") as archive:
                _add(archive, _DATABASE, json.dumps(content, ensure_ascii=False).encode("utf-8"))
                for path in _state_files(settings.state):
                    _add(archive, f"{_STATE}/{path.relative_to(settings.state).as_posix()}", _content(path))
            file.flush()
            os.fsync(file.fileno())
            return file.tell()


def restore(config: Path, source: Path) -> None:
    """Put a backup where these settings say, where nothing is yet: neither state nor rows. Raises Unable, Rejected."""
    settings = _settings(config)
    with unable_on(DatabaseFault, OSError):
        revision, rows, files = _read(source)
        if settings.state.exists() and any(settings.state.iterdir()):
            raise Rejected(f"{settings.state} is not empty: a backup is restored where nothing is")
        settings.state.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            asyncio.run(_loaded(settings, revision, rows))  # first: it refuses all or takes all
        except DatabaseFault:
            for path in settings.state.iterdir():  # an empty database alone
                path.unlink()
            raise
        for name, content in files.items():
            path = settings.state / name
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)
            path.write_bytes(content)


async def _dumped(settings: ControlSettings) -> tuple[str, Rows]:
    database = Database(database_url(settings))
    try:
        return await dump(database)
    finally:
        await database.close()


async def _loaded(settings: ControlSettings, revision: str, rows: Rows) -> None:
    if not settings.database:
        (settings.state / DATABASE_FILE).touch(mode=0o600)
    database = Database(database_url(settings))
    try:
        await load(database, revision, rows)
    finally:
        await database.close()


def _state_files(state: Path) -> Iterator[Path]:
    for path in sorted(state.rglob("*")):
        if path.is_file() and not path.is_symlink() and path.name not in _LEFT_OUT and not _is_of_database(path):
            yield path


def _is_of_database(path: Path) -> bool:
    """Whether SQLite writes it beside a database: what `_content` gives of that holds all of it already."""
    owner, dash, suffix = path.name.rpartition("-")
    return bool(dash) and suffix in ("wal", "shm") and _is_sqlite(path.with_name(owner))


def _is_sqlite(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(len(_SQLITE)) == _SQLITE
    except FileNotFoundError:
        return False


def _content(path: Path) -> bytes:
    """The bytes of a file; of an SQLite database, those of a moment between two transactions."""
    if not _is_sqlite(path):
        return path.read_bytes()
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as raw:
        return raw.serialize()


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o600
    archive.addfile(entry, io.BytesIO(content))


def _read(source: Path) -> tuple[str, Rows, Mapping[str, bytes]]:
    files: dict[str, bytes] = {}
    try:
        with tarfile.open(source, "r:gz") as archive:
            for entry in archive:
                stream = archive.extractfile(entry) if entry.isreg() else None
                if stream is None or not _is_within(entry.name) or entry.name in files:
                    raise Rejected(f"{source}: not a backup: {entry.name!r} has no place in one")
                files[entry.name] = stream.read()
        content: dict[str, Any] = json.loads(files.pop(_DATABASE))
        if content["format"] != _FORMAT:
            raise Rejected(f"{source}: a backup of another version of Aegis")
        rows: Rows = content["rows"]
        return str(content["revision"]), rows, {name.removeprefix(f"{_STATE}/"): files[name] for name in files}
    except (tarfile.TarError, EOFError, KeyError, TypeError, ValueError):
        raise Rejected(f"{source}: not a backup, or a part of one") from None


def _is_within(name: str) -> bool:
    path = PurePosixPath(name)
    if name == _DATABASE:
        return True
    return not path.is_absolute() and ".." not in path.parts and len(path.parts) > 1 and path.parts[0] == _STATE


def _settings(config: Path) -> ControlSettings:
    try:
        return load_settings(config, ControlSettings)
    except SettingsError as fault:
        raise Unable(str(fault)) from None
