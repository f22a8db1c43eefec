"""Settings files: YAML into the frozen tree, every doubt an error that names the file and the key."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from aegis_authz.policy.source.reader import read_source

Settings = TypeVar("Settings", bound=BaseModel)


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
        return kind.model_validate(documents[0].value)
    except ValidationError as fault:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'document'}: {e['msg']}" for e in fault.errors())
        raise SettingsError(f"{path}: {wrong}") from None
