"""Leading a client through the mesh, and taking it back: what its settings become, before anything is written."""

from __future__ import annotations

import stat
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from aegis_authz import durable
from aegis_authz.agent.clients.backups import Backup, Change, digest, drop_backup, read_backup, write_backup
from aegis_authz.agent.clients.kinds import ClientKind
from aegis_authz.agent.clients.rewriting import Route, entry_of, rewritten
from aegis_authz.agent.clients.servers import SettingsFault, read_settings, servers_in
from aegis_authz.core.json_value import Json

_PRIVATE = 0o600


@dataclass(frozen=True, slots=True)
class MeshServer:
    """An MCP server behind the mesh: its name, the address at which clients know it ("": none), how to reach it."""

    name: str
    host: str
    route: Route


@dataclass(frozen=True, slots=True)
class Plan:
    """What a settings file is, and what it becomes; None where there is no file.

    `led` names the servers that pass the mesh afterwards, `left` those that do not.
    """

    file: Path
    before: bytes | None
    after: bytes | None
    changes: tuple[Change, ...]
    led: tuple[str, ...]
    left: tuple[str, ...]
    original: bytes | None


def connection(file: Path, kind: ClientKind, servers: Sequence[MeshServer], backups: Path) -> Plan:
    """The plan that leads a client to these servers.

    An entry of one's name, or with a URL at one's host, is led to that one; servers that no entry leads to are added.
    All other entries stay. Raises SettingsFault, BackupFault.
    """
    current = _read(file)
    original = _undone(current, read_backup(backups, file), kind, file)
    text = "" if original is None else _decoded(original, file)
    settings = read_settings(text, kind, file)
    changes: dict[tuple[str, ...], MeshServer] = {}
    led: list[str] = []
    left: list[str] = []
    for present in servers_in(settings, kind):
        match = next((server for server in servers if _stands_for(server, present.name, present.url)), None)
        if match is not None:
            changes[present.path] = match
            led.append(present.name)
        elif present.is_governed(()):
            led.append(present.name)
        else:
            left.append(present.name)
    for server in servers:
        if server not in changes.values():
            changes[*kind.section, server.name] = server
            led.append(server.name)
    entries = {path: entry_of(server.route, kind) for path, server in changes.items()}
    edits = tuple(Change(path, entry_at(settings, path), entry) for path, entry in entries.items())
    after = _encoded(rewritten(text, kind, entries, file), original)
    return Plan(file, current, after, edits, tuple(led), tuple(left), original)


def addition(file: Path, kind: ClientKind, entries: Mapping[tuple[str, ...], Json], backups: Path) -> Plan:
    """The plan that writes these entries; one that is a list is added to the list that is there.

    Raises SettingsFault, BackupFault.
    """
    current = _read(file)
    original = _undone(current, read_backup(backups, file), kind, file)
    text = "" if original is None else _decoded(original, file)
    settings = read_settings(text, kind, file)
    edits: list[Change] = []
    for path, entry in entries.items():
        present = entry_at(settings, path)
        if isinstance(entry, list) and present is not None:
            if not isinstance(present, list):
                raise SettingsFault(f"{file}: {'.'.join(path)} is not a list")
            entry = [*present, *entry]
        if entry != present:
            edits.append(Change(path, present, entry))
    after = _encoded(rewritten(text, kind, {edit.path: edit.written for edit in edits}, file), original)
    return Plan(file, current, after, tuple(edits), (), (), original)


def disconnection(file: Path, kind: ClientKind, backups: Path) -> Plan | None:
    """The plan that takes back what was written in the section of this kind, None where nothing was.

    Raises SettingsFault, BackupFault.
    """
    backup = read_backup(backups, file)
    if backup is None or all(change.path[-2:-1] != kind.section[-1:] for change in backup.changes):
        return None
    current = _read(file)
    return Plan(file, current, _undone(current, backup, kind, file), (), (), (), None)


def carry_out(plan: Plan, backups: Path) -> Path | None:
    """Write what a plan says, its backup first; returns where that is. Raises BackupFault, OSError."""
    backup_file: Path | None = None
    if plan.changes and plan.after is not None:
        backup_file = write_backup(backups, Backup(plan.file, plan.original, digest(plan.after), plan.changes))
    target = plan.file.resolve()  # settings may be links into a folder that is kept elsewhere
    if plan.after is None:
        target.unlink(missing_ok=True)
    elif plan.after != plan.before:
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = stat.S_IMODE(target.stat().st_mode) if target.exists() else _PRIVATE
        durable.replace(target, plan.after, mode)
    if not plan.changes:
        drop_backup(backups, plan.file)
    return backup_file


def entry_at(settings: Json, path: Sequence[str]) -> Json:
    """What stands at a path, None where nothing does."""
    for name in path:
        settings = settings.get(name) if isinstance(settings, dict) else None
    return settings


def _stands_for(server: MeshServer, name: str, url: str) -> bool:
    try:
        host = urlsplit(url).netloc.rpartition("@")[2].lower()
    except ValueError:
        host = ""
    return name == server.name or (server.host != "" and host in (server.host, f"{server.host}:443"))


def _undone(current: bytes | None, backup: Backup | None, kind: ClientKind, file: Path) -> bytes | None:
    """The file as it would be had we never changed it."""
    if backup is None:
        return current
    if current is not None and digest(current) == backup.left:
        return backup.before
    if current is None:
        return None  # somebody removed it: what they did not want back stays away
    text = _decoded(current, file)
    settings = read_settings(text, kind, file)
    entries: dict[tuple[str, ...], Json] = {}
    for change in backup.changes:
        present = entry_at(settings, change.path)
        if present == change.written:
            entries[change.path] = change.before
        elif isinstance(present, list) and isinstance(change.written, list):
            before = change.before if isinstance(change.before, list) else []
            ours = [entry for entry in change.written if entry not in before]
            entries[change.path] = [entry for entry in present if entry not in ours]
    return _encoded(rewritten(text, kind, entries, file), current)


def _read(file: Path) -> bytes | None:
    try:
        return file.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as fault:
        raise SettingsFault(f"{file}: {fault.strerror}") from None


_BOM = b"\xef\xbb\xbf"


def _decoded(content: bytes, file: Path) -> str:
    try:
        return content.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as fault:
        raise SettingsFault(f"{file}: {fault}") from None


def _encoded(text: str, before: bytes | None) -> bytes:
    return (_BOM if before is not None and before.startswith(_BOM) else b"") + text.encode("utf-8")
