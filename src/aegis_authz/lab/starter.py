"""The first files of a policy folder: an agent, a tool, and tests of every rule."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib.resources import files
from string import Template

from aegis_authz.core.json_value import Json
from aegis_authz.core.scope import Scope
from aegis_authz.policy.format.formatting import formatted
from aegis_authz.policy.language.catalogue import ToolEntry
from aegis_authz.policy.language.types import Name
from aegis_authz.policy.language.validation import Part, validated
from aegis_authz.policy.source.reader import read_source
from aegis_authz.policy.source.scalars import Unreadable, plain_value

_OF_TESTS = "_test"
_NAMING_FILES = ("agent", "tool")


class ToolKind(StrEnum):
    """How a tool is spoken to."""

    HTTP = "http"
    MCP = "mcp"


@dataclass(frozen=True, slots=True)
class Names:
    """What a starter is about."""

    org: str
    tenant: str
    agent: str
    tool: str
    host: str
    kind: ToolKind


class _NameDocument(Part):
    name: Name


_MODELS: Mapping[str, tuple[type[Part], str]] = {"host": (ToolEntry, "host")}
_REST: Mapping[str, Mapping[str, Json]] = {"host": {"tool": "any", "mcp": {}}}


def faults(names: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Of these members of `Names`, those that documents could not have; each with what is wrong,
    as `validate` says it.
    """
    for field, name in names.items():
        model, member = _MODELS.get(field, (_NameDocument, "name"))
        sources, problems = read_source(f"{field}.json", json.dumps({member: name, **_REST.get(field, {})}))
        problems += [problem for source in sources for problem in validated(model, source)[1]]
        if problems:
            yield field, problems[0].message
        elif field in _NAMING_FILES and name.endswith(_OF_TESTS):
            yield field, f"must not end in {_OF_TESTS}; {name}.yaml would be read as tests"


def starter_files(names: Names, commands: Sequence[str]) -> dict[str, str]:
    """The texts by their paths in the folder; `commands` are what to run next. The names must have no `faults`."""
    scope = Scope(names.org, names.tenant, names.agent)
    stranger = replace(scope, agent="nobody" if scope.agent != "nobody" else "stranger")
    words = {
        **{field: _yaml_scalar(str(getattr(names, field))) for field in ("org", "tenant", "agent", "tool", "host")},
        "scope": str(scope),
        "file": f"{names.agent}.yaml",
        "stranger": str(stranger),
    }
    documents = {
        f"agents/{names.agent}.yaml": _filled("agent.yaml", words),
        f"agents/{names.agent}{_OF_TESTS}.yaml": _filled("agent_test.yaml", words),
        f"tools/{names.tool}.yaml": _filled(f"{names.kind.value}_tool.yaml", words),
    }
    plain = {"agent": names.agent, "tool": names.tool, "commands": "\n".join(commands)}
    # names are of any length, and comments stand in columns
    laid_out = {path: formatted(path, text) for path, text in documents.items()}
    return {**laid_out, "README.md": _filled("README.md", plain)}


def _filled(name: str, words: Mapping[str, str]) -> str:
    text = (files("aegis_authz") / "lab" / "starter" / name).read_text(encoding="utf-8")
    return Template(text).substitute(words)


def _yaml_scalar(name: str) -> str:
    """The name as YAML: in quotes where it would be read as something else, such as `on` or `2024`."""
    try:
        return name if isinstance(plain_value(name), str) else f'"{name}"'
    except Unreadable:
        return f'"{name}"'
