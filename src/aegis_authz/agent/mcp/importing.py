"""A catalogue entry and a starter policy for MCP servers, from the tools they list.

What a server says of its own tools is a hint: a tool that calls itself read-only is allowed to begin with, and every
other waits for a person. Nobody but the operator can say what is right.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import yaml

from aegis_authz.agent.clients.servers import Server
from aegis_authz.core.json_value import Json
from aegis_authz.core.scope import Scope

_KINDS = {"string", "number", "integer", "boolean", "object", "array"}
_LONGEST_NAME = 63
_LONGEST_DESCRIPTION = 200
APPROVERS = "owners"
_EXPIRES_IN = 900


@dataclass(frozen=True, slots=True)
class ListedTool:
    """A tool as its server lists it."""

    name: str
    description: str
    schema: Mapping[str, Json]
    is_read_only: bool


@dataclass(frozen=True, slots=True)
class ListedServer:
    """A server of a client with the tools it really has, and the port it is to be wrapped at (0: it speaks HTTP)."""

    server: Server
    tools: tuple[ListedTool, ...]
    port: int

    @property
    def tool(self) -> str:
        """Its name in the catalogue."""
        name = re.sub(r"[^a-z0-9._-]+", "-", self.server.name.lower())[:_LONGEST_NAME].strip("._-")
        return name or "server"


def catalogue_text(listed: ListedServer, owner: str) -> str:
    """The catalogue entry of a server, its tools with their parameters and types."""
    url = urlsplit(listed.server.url)
    host = url.netloc.rpartition("@")[2].removesuffix(":443") if listed.server.url else f"{listed.tool}.mcp.internal"
    upstream = (
        f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path.rstrip('/')}"
        if listed.server.url
        else f"http://127.0.0.1:{listed.port}/mcp"
    )
    entry: dict[str, Json] = {
        "tool": listed.tool,
        "host": host,
        "upstream": upstream,
        "owner": owner,
        "mcp": {"tools": {tool.name: _tool(tool) for tool in listed.tools}},
    }
    return _yaml(entry)


def policy_text(servers: Sequence[ListedServer], agent: Scope, owner: str) -> str:
    """A policy to start from: what calls itself read-only is allowed, the rest waits for an approval."""
    rules: list[Json] = []
    for listed in servers:
        reading = [tool.name for tool in listed.tools if tool.is_read_only]
        writing = [tool.name for tool in listed.tools if not tool.is_read_only]
        if reading:
            rules.append({"name": listed.tool, "actions": reading})
        if writing:
            approval: Json = {"groups": [APPROVERS], "expires_in": _EXPIRES_IN, "always": True}
            rules.append({"name": listed.tool, "actions": writing, "approval": approval})
    document: dict[str, Json] = {
        "org": agent.org,
        "tenant": agent.tenant,
        "agent": agent.agent,
        "description": "Written from what the servers list. Narrow what is allowed; allow what needs nobody.",
        "owner": owner,
        "allowed_tools": rules,
    }
    return _yaml(document)


def cases_text(servers: Sequence[ListedServer], agent: Scope) -> str:
    """A test of each rule of the policy."""
    tests: list[Json] = []
    for listed in servers:
        for tool in _first_of_each(listed.tools):
            call: dict[str, Json] = {"agent": str(agent), "tool": listed.tool, "action": tool.name}
            sentence = "is allowed" if tool.is_read_only else "waits for a person"
            effect = "allow" if tool.is_read_only else "approval_needed"
            tests.append({"name": f"{listed.tool} {tool.name} {sentence}", "call": call, "expect": {"effect": effect}})
    return _yaml({"tests": tests})


def _first_of_each(tools: Sequence[ListedTool]) -> list[ListedTool]:
    kinds: dict[bool, ListedTool] = {}
    for tool in tools:
        kinds.setdefault(tool.is_read_only, tool)
    return list(kinds.values())


def _tool(tool: ListedTool) -> dict[str, Json]:
    properties = tool.schema.get("properties")
    entry: dict[str, Json] = {}
    description = " ".join(tool.description.split())
    if description:
        cut = len(description) > _LONGEST_DESCRIPTION
        entry["description"] = f"{description[:_LONGEST_DESCRIPTION].rstrip()}..." if cut else description
    if isinstance(properties, Mapping) and properties:
        entry["parameters"] = {name: _parameter(schema) for name, schema in properties.items()}
        if tool.schema.get("additionalProperties") not in (None, False):
            entry["others"] = "allow"
    return entry


def _parameter(schema: Json) -> Json:
    kinds = _kinds(schema)
    kind = next(iter(kinds - {"null"})) if len(kinds - {"null"}) == 1 else "any"
    return {"type": kind, "optional": True} if "null" in kinds and kind != "any" else kind


def _kinds(schema: Json) -> set[str]:
    """The types a JSON Schema lets a value have, as far as it says so in plain words."""
    if not isinstance(schema, Mapping):
        return set()
    for word in ("anyOf", "oneOf"):
        alternatives = schema.get(word)
        if isinstance(alternatives, list):
            kinds = [_kinds(alternative) for alternative in alternatives]
            return set().union(*kinds) if all(kinds) else set()
    type_word = schema.get("type")
    names = type_word if isinstance(type_word, list) else [type_word]
    kinds_here = {name for name in names if isinstance(name, str)}
    return kinds_here if kinds_here <= _KINDS | {"null"} else set()


def _yaml(document: Mapping[str, Json]) -> str:
    plain = json.loads(json.dumps(document))  # no aliases for what is written twice
    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=110)
    return text
