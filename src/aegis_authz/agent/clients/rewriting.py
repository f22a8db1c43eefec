"""A client's settings with servers led through the mesh, all else in them letter for letter as before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import tomlkit
from tomlkit.exceptions import TOMLKitError
from tomlkit.items import Table

from aegis_authz.agent.clients import jsonc
from aegis_authz.agent.clients.kinds import ClientKind, Format
from aegis_authz.agent.clients.servers import SettingsFault
from aegis_authz.core.json_value import Json


@dataclass(frozen=True, slots=True)
class Route:
    """How a server behind the mesh is reached: by the reverse URL of a signer, or by a command that signs itself."""

    url: str
    command: str
    arguments: tuple[str, ...]


def entry_of(route: Route, kind: ClientKind) -> dict[str, Json]:
    """A server's entry in the words of its client: by URL where there is a signer and the client speaks HTTP."""
    if route.url and kind.url_member:
        return {**kind.http_members, kind.url_member: route.url}
    return {**kind.command_members, "command": route.command, "args": list(route.arguments)}


def rewritten(text: str, kind: ClientKind, entries: Mapping[tuple[str, ...], Json], file: Path) -> str:
    """The settings with these entries at their paths; None takes one away. Raises SettingsFault."""
    try:
        for path, entry in entries.items():
            if kind.format is Format.TOML:
                text = _toml(text, path, entry)
            elif entry is None:
                text = jsonc.without_member(text, path)
            else:
                text = jsonc.with_member(text if text.strip() else "{}\n", path, entry)
    except (ValueError, TOMLKitError) as fault:
        raise SettingsFault(f"{file}: {fault}") from None
    return text


def _toml(text: str, path: Sequence[str], entry: Json) -> str:
    if entry is not None and not isinstance(entry, dict):
        raise ValueError(f"{path[-1]} is not a table")
    document = tomlkit.parse(text)
    table: tomlkit.TOMLDocument | Table = document
    for name in path[:-1]:
        if name not in table:
            if entry is None:
                return text
            table.add(name, tomlkit.table(is_super_table=True))
        below = table[name]
        if not isinstance(below, Table):
            raise ValueError(f"{name} is not a table")  # noqa: TRY004  # one error for every surprise
        table = below
    name = path[-1]
    if entry is None:
        if name in table:
            table.remove(name)
    elif name in table:
        table[name] = _table(entry)
    else:
        table.add(name, _table(entry))
    return tomlkit.dumps(document)


def _table(entry: Mapping[str, Json]) -> Table:
    table = tomlkit.table()
    for name, value in entry.items():
        table.add(name, value)
    return table
