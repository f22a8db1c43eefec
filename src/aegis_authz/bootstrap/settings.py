"""Settings files: YAML into the frozen tree, every doubt an error that names the file and the key.

A setting that may hold a secret may name its file instead: `redis: {file: /run/secrets/redis.url}`.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from aegis_authz.adapters.files.secret_file import SecretUnusable, read_secret
from aegis_authz.core.json_value import Json
from aegis_authz.policy.source.reader import read_source

Settings = TypeVar("Settings", bound=BaseModel)

_SECRETS = ("redis",)


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
    """The document with each secret in the place of its file's name. Raises SecretUnusable."""
    if not isinstance(document, dict):
        return document
    return {key: _secret(value) if key in _SECRETS else value for key, value in document.items()}


def _secret(value: Json) -> Json:
    if not isinstance(value, dict) or value.keys() != {"file"} or not isinstance(value["file"], str):
        return value  # no file is meant: the model judges it
    path = Path(value["file"])
    try:
        text = read_secret(path).decode("ascii").strip()
    except UnicodeDecodeError:
        raise SecretUnusable(f"{path}: not ASCII") from None
    if not text.isprintable() or not text:
        raise SecretUnusable(f"{path}: not one line of text")
    return text
