"""The servers in a client's settings, in one form for all clients; and whether calls to them pass the mesh."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from urllib.parse import urlsplit

import yaml

from aegis_authz.agent.clients import jsonc
from aegis_authz.agent.clients.kinds import ClientKind, Format
from aegis_authz.core.json_value import Json

_URLS = ("url", "httpUrl", "serverUrl")
_OURS = ["mcp", "proxy"]


class SettingsFault(Exception):
    """A settings file cannot be read; the message names it and says where."""


@dataclass(frozen=True, slots=True)
class Server:
    """One server: where its entry stands, and how it is reached: by a URL, or by a command with its arguments."""

    path: tuple[str, ...]
    url: str
    command: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    headers: Mapping[str, str]

    @property
    def name(self) -> str:
        """What the client calls it."""
        return self.path[-1]

    @property
    def reach(self) -> str:
        """How it is reached, without what may be a secret: arguments, environment, a URL's query and user."""
        if not self.url:
            return PurePath(self.command).name
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"

    def is_governed(self, signers: Sequence[str]) -> bool:
        """Whether each call passes the mesh: by our own command, or by the base URL of a signer.

        Not one that names both ways, of which the client takes either, nor a command at a place of its own in a
        project, which is the project's.
        """
        if self.command:
            path = PurePath(self.command)
            is_ours = path.name == "aegis" and (path.is_absolute() or self.command == "aegis")
            return is_ours and list(self.arguments[:2]) == _OURS and not self.url
        return any(self.url.startswith(f"{signer.rstrip('/')}/") for signer in signers if signer)


def read_servers(file: Path, kind: ClientKind) -> list[Server]:
    """The servers of a settings file, in order; none where there is no file. Raises SettingsFault."""
    try:
        if file.exists() and not file.is_file():  # of a pipe or a device the end never comes
            raise SettingsFault(f"{file}: not a file")
        text = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as fault:
        raise SettingsFault(f"{file}: {fault}") from None
    return list(servers_in(read_settings(text, kind, file), kind))


def read_settings(text: str, kind: ClientKind, file: Path) -> Json:
    """The document of a settings file; an empty file is an empty object. Raises SettingsFault."""
    if not text.strip():
        return {}
    try:
        match kind.format:
            case Format.JSON:
                return jsonc.parse(text).value
            case Format.TOML:
                settings: dict[str, Json] = tomllib.loads(text)
                return settings
            case Format.YAML:
                document: Json = yaml.safe_load(text)
                return document
    except (ValueError, yaml.YAMLError) as fault:
        raise SettingsFault(f"{file}: {fault}") from None


def servers_in(settings: Json, kind: ClientKind) -> Iterator[Server]:
    """The servers of a document."""
    sections = [kind.section]
    projects = settings.get("projects") if isinstance(settings, dict) and kind.name == "claude-code" else None
    if isinstance(projects, dict):  # servers of one project, kept in the user's file
        sections += [("projects", name, *kind.section) for name in projects]
    for section in sections:
        entries = _at(settings, section)
        if isinstance(entries, list):  # Continue has a list with names
            entries = {str(entry.get("name")): entry for entry in entries if isinstance(entry, dict)}
        if not isinstance(entries, dict):
            continue
        for name, entry in entries.items():
            if isinstance(entry, dict):
                yield server_of((*section, name), entry)


def server_of(path: tuple[str, ...], entry: Mapping[str, Json]) -> Server:
    """One entry, whatever words its client has for it. What is of a wrong type counts as not there."""
    command, arguments = entry.get("command"), entry.get("args")
    if isinstance(command, Mapping):  # Zed had it so
        arguments = command.get("args")
        command = command.get("path")
    urls = (entry.get(member) for member in _URLS)
    url = next((url for url in urls if isinstance(url, str)), "")
    return Server(
        path=path,
        url=url,
        command=command if isinstance(command, str) else "",
        arguments=tuple(argument for argument in arguments if isinstance(argument, str))
        if isinstance(arguments, list)
        else (),
        environment=_texts(entry.get("env")),
        headers=_texts(entry.get("headers", entry.get("http_headers"))),
    )


def _texts(data: Json) -> dict[str, str]:
    return {name: text for name, text in data.items() if isinstance(text, str)} if isinstance(data, dict) else {}


def _at(settings: Json, path: Sequence[str]) -> Json:
    for name in path:
        settings = settings.get(name) if isinstance(settings, dict) else None
    return settings
