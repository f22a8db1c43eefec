"""Settings files: YAML into the frozen tree, every doubt an error that names the file and the key.

A setting that may hold a secret may say where it is instead: `redis: {file: /run/secrets/redis.url}`, or
`redis: {env: AEGIS_REDIS}` for a variable of the environment, or `redis: {vault: MOUNT/PATH#FIELD}`; so may the
values of `telemetry.headers`, and the password in `redis: {cluster: ...}` and `redis: {sentinel: ...}`. What it is
stands in no complaint.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from aegis_authz.adapters.files.secret_file import SecretUnusable, read_secret
from aegis_authz.bootstrap.vault import IN_VAULT, vault_secret
from aegis_authz.core.json_value import Json
from aegis_authz.policy.source.reader import read_source

Settings = TypeVar("Settings", bound=BaseModel)

_SECRETS = ("redis", "database")
_TELEMETRY = "telemetry"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}\Z")


class SettingsError(Exception):
    """The settings file cannot be used; the message names the file and every wrong key."""


def load_settings(path: Path, kind: type[Settings]) -> Settings:
    """Read `path` as `kind`, as strictly as a policy is read. Raises SettingsError."""
    try:
        documents, problems = read_source(str(path), path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as fault:
        raise SettingsError(f"{path}: {fault}") from None
    if problems:
        # without the lines themselves: a setting may hold a password
        raise SettingsError("; ".join(str(problem).partition("\n")[0] for problem in problems))
    if len(documents) != 1:
        raise SettingsError(f"{path}: holds {len(documents)} documents instead of one")
    try:
        return kind.model_validate(_with_secrets(documents[0].value))
    except SecretUnusable as fault:
        raise SettingsError(f"{path}: {fault}") from None
    except ValidationError as fault:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'document'}: {e['msg']}" for e in fault.errors())
        raise SettingsError(f"{path}: {wrong}") from None


def _with_secrets(document: Json) -> Json:
    """The document with each secret in place of where it is. Raises SecretUnusable."""
    if not isinstance(document, dict):
        return document
    return {
        key: _secret(value) if key in _SECRETS else _with_headers(value) if key == _TELEMETRY else value
        for key, value in document.items()
    }


def _with_headers(telemetry: Json) -> Json:
    """The settings of telemetry with each header's value. Raises SecretUnusable."""
    headers = telemetry.get("headers") if isinstance(telemetry, dict) else None
    if not isinstance(telemetry, dict) or not isinstance(headers, dict):
        return telemetry
    return {**telemetry, "headers": {name: _secret(value) for name, value in headers.items()}}


def _with_passwords(places: Mapping[str, Json]) -> Json:
    return {
        kind: {**place, "password": _secret(place["password"])}
        if isinstance(place, dict) and "password" in place
        else place
        for kind, place in places.items()
    }


def _secret(value: Json) -> Json:
    match value:
        case {"file": str() as name, **rest} if not rest:
            return _one_line(read_secret(Path(name)), name)
        case {"env": str() as name, **rest} if not rest and _VARIABLE.match(name):
            if name not in os.environ:
                raise SecretUnusable(f"{name}: no such variable in the environment")
            return _one_line(os.fsencode(os.environ[name]), name)
        case {"vault": str() as reference, **rest} if not rest:
            return _one_line(vault_secret(reference).encode("utf-8"), f"{IN_VAULT}{reference}")
        case dict() as places if places.keys() & {"cluster", "sentinel"}:
            return _with_passwords(places)
        case _:
            return value  # no place is meant: the model judges it


def _one_line(content: bytes, place: str) -> str:
    try:
        text = content.decode("ascii").strip()
    except UnicodeDecodeError:
        raise SecretUnusable(f"{place}: not ASCII") from None
    if not text.isprintable() or not text:
        raise SecretUnusable(f"{place}: not one line of text")
    return text
