"""Settings files: YAML into the frozen tree, every doubt an error that names the file and the key."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import yaml
from pydantic import BaseModel, ValidationError

Settings = TypeVar("Settings", bound=BaseModel)


class SettingsError(Exception):
    """The settings file cannot be used; the message names the file and every wrong key."""


def load_settings(path: Path, kind: type[Settings]) -> Settings:
    """Read `path` as `kind`. Raises SettingsError."""
    try:
        data = yaml.load(path.read_text("utf-8"), _NoDuplicates)  # noqa: S506  # a SafeLoader
        return kind.model_validate(data)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as fault:
        raise SettingsError(f"{path}: {fault}") from None
    except ValidationError as fault:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'document'}: {e['msg']}" for e in fault.errors())
        raise SettingsError(f"{path}: {wrong}") from None


class _NoDuplicates(yaml.SafeLoader):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[object, object]:
        names = [key.value for key, _ in node.value]
        for name in names:
            if names.count(name) > 1:
                raise yaml.constructor.ConstructorError(None, None, f"duplicate key {name!r}", node.start_mark)
        return super().construct_mapping(node, deep)
