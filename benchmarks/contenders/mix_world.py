"""The world of the mix: 50 tools with 200 actions, 500 agents in 20 tenants, and what each agent may, by a seed.

Written twice from the same facts: as documents of Aegis, and as data of the Go peer (`mix.rego`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from random import Random
from typing import Any

import yaml

from aegis_authz.core.scope import Scope
from aegis_authz.encoding import base64url

TOOLS, MCP_SERVERS = 50, 5
TENANTS, AGENTS = 20, 500
TOOLS_OF_AGENT = 3
"""Beside one MCP server."""
CURRENCIES = ("EUR", "USD", "GBP", "CHF", "SEK", "NOK")
STATUSES = ("open", "waiting", "approved", "shipped", "closed")
REFERENCE, SUBJECT_ID = "INV-[0-9]{6}", "[a-z]{3}-[0-9]{6}"
MOST_NOTE, MOST_SUBJECT, MOST_LABELS = 400, 120, 12
PARTNER = "partner.example"
GROUP = "approvers"
_NOUNS = ("payments", "tickets", "contacts", "orders", "shipments", "documents", "deployments", "claims", "contracts")
_ORG = "acme"


class Shape(Enum):
    """What a call of an action looks like, and which conditions its rule has."""

    CREATE = "create"
    UPDATE = "update"
    MESSAGE = "message"
    READ = "read"


METHODS = {Shape.CREATE: "POST", Shape.UPDATE: "PATCH", Shape.MESSAGE: "POST", Shape.READ: "GET"}
_TYPES: dict[Shape, dict[str, str]] = {
    Shape.CREATE: {
        "amount": "number",
        "currency": "string",
        "reference": "string",
        "customer": "object",
        "lines": "array",
        "note": "string",
    },
    Shape.UPDATE: {"id": "string", "status": "string", "note": "string", "attributes": "object"},
    Shape.MESSAGE: {"id": "string", "to": "string", "subject": "string", "labels": "array", "text": "string"},
    Shape.READ: {"id": "string", "view": "string"},
}


@dataclass(frozen=True, slots=True)
class MixTool:
    """A tool. `is_declared` tells whether its actions list their parameters or take what a body holds."""

    name: str
    noun: str
    host: str
    is_mcp: bool
    is_declared: bool

    def action(self, shape: Shape) -> str:
        """The name of its action of this shape."""
        return f"{shape.value}_{self.noun}"

    def path(self, shape: Shape, subject: str) -> str:
        """Where that action is called, about this subject."""
        if self.is_mcp:
            return "/mcp"
        ends = {Shape.CREATE: "", Shape.UPDATE: f"/{subject}", Shape.READ: f"/{subject}"}
        return f"/v1/{self.noun}{ends.get(shape, f'/{subject}/messages')}"


@dataclass(frozen=True, slots=True)
class Rights:
    """What an agent may: in each of its tools all four actions, within these bounds.

    Amounts above `held_over` need an approval, those above `most` are denied.
    """

    scope: Scope
    tools: tuple[MixTool, ...]
    most: int
    held_over: int
    currencies: tuple[str, ...]
    statuses: tuple[str, ...]
    domains: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class World:
    """All tools, and all agents with what they may."""

    tools: tuple[MixTool, ...]
    agents: tuple[Rights, ...]

    @property
    def of_tenants(self) -> tuple[Rights, ...]:
        """The first agent of each tenant."""
        firsts: dict[str, Rights] = {}
        for rights in self.agents:
            firsts.setdefault(rights.scope.tenant, rights)
        return tuple(firsts.values())


def make_world(seed: int) -> World:
    """The world of this seed: the same at any time."""
    chance = Random(seed)  # noqa: S311  # nothing secret
    tools = tuple(_tool(number) for number in range(TOOLS))
    return World(tools, tuple(_rights(number, tools, chance) for number in range(AGENTS)))


def _tool(number: int) -> MixTool:
    noun, turn = _NOUNS[number % len(_NOUNS)], number // len(_NOUNS)
    is_mcp = number >= TOOLS - MCP_SERVERS
    name = f"{noun}-{turn}{'-mcp' if is_mcp else ''}"
    return MixTool(name, noun, f"{name}.acme.example", is_mcp, is_declared=is_mcp or number % 2 == 0)


def _rights(number: int, tools: Sequence[MixTool], chance: Random) -> Rights:
    tenant, turn = f"tenant-{number % TENANTS:02}", number // TENANTS
    plain = [tool for tool in tools if not tool.is_mcp]
    servers = [tool for tool in tools if tool.is_mcp]
    own = (*chance.sample(plain, TOOLS_OF_AGENT), chance.choice(servers))
    most = chance.randrange(1_000, 20_000, 500)
    return Rights(
        scope=Scope(_ORG, tenant, f"{own[0].noun}-agent-{turn}"),
        tools=own,
        most=most,
        held_over=most * 3 // 5,
        currencies=tuple(sorted(chance.sample(CURRENCIES, chance.randint(2, 5)))),
        statuses=tuple(sorted(chance.sample(STATUSES, chance.randint(2, 4)))),
        domains=(f"{tenant}.example", PARTNER),
    )


def write_world(
    world: World, policies: Path, tools: Path, tool_port: int, registered: dict[str, dict[str, Any]]
) -> None:
    """Write the documents of Aegis beside those that are there; `registered` are agents with keys. Raises OSError."""
    for tool in world.tools:
        (tools / f"{tool.name}.yaml").write_text(json.dumps(_catalogue(tool, tool_port)), "utf-8")  # JSON is YAML
    for tenant in range(TENANTS):
        documents = [policy(rights) for rights in world.agents[tenant::TENANTS]]
        text = "---\n".join(f"{json.dumps(document)}\n" for document in documents)
        (policies / f"tenant-{tenant:02}.yaml").write_text(text, "utf-8")
    if registered:
        (policies / "registered.yaml").write_text(yaml.safe_dump({"agents": registered}), "utf-8")


def policy(rights: Rights) -> dict[str, Any]:
    """The policy document of an agent."""
    scope = rights.scope
    rules = [rule for tool in rights.tools for rule in _rules(rights, tool)]
    return {"org": scope.org, "tenant": scope.tenant, "agent": scope.agent, "owner": "platform", "allowed_tools": rules}


def _rules(rights: Rights, tool: MixTool) -> Iterator[dict[str, Any]]:
    subject = {"id": {"matches": SUBJECT_ID}}
    conditions: dict[Shape, dict[str, Any]] = {
        Shape.CREATE: {
            "max_amount": rights.most,
            "approval_needed_over": rights.held_over,
            "parameters": {"currency": {"in": list(rights.currencies)}, "reference": {"matches": REFERENCE}},
        },
        Shape.UPDATE: {
            "parameters": {**subject, "status": {"in": list(rights.statuses)}, "note": {"length": {"max": MOST_NOTE}}}
        },
        Shape.MESSAGE: {
            "parameters": {
                **subject,
                "to": {"email_domain_in": list(rights.domains)},
                "subject": {"length": {"max": MOST_SUBJECT}},
                "labels": {"count": {"max": MOST_LABELS}},
            }
        },
        Shape.READ: {"parameters": subject},
    }
    for shape, what_holds in conditions.items():
        rule = {"name": tool.name, "actions": [tool.action(shape)], "conditions": what_holds}
        yield {**rule, "approval": {"groups": [GROUP]}} if shape is Shape.CREATE else rule


def _catalogue(tool: MixTool, port: int) -> dict[str, Any]:
    document = {"tool": tool.name, "host": tool.host, "upstream": f"http://127.0.0.1:{port}"}
    if tool.is_mcp:
        listed = {tool.action(shape): {"parameters": _TYPES[shape]} for shape in Shape}
        return {**document, "upstream": f"{document['upstream']}/mcp", "mcp": {"tools": listed}}
    return {**document, "actions": {tool.action(shape): _action(tool, shape) for shape in Shape}}


def _action(tool: MixTool, shape: Shape) -> dict[str, Any]:
    action: dict[str, Any] = {"match": f"{METHODS[shape]} {tool.path(shape, '{id}')}"}
    if tool.is_declared:
        places = {"id": "{id}", "view": "?view"}
        types = _TYPES[shape].items()
        action["parameters"] = {name: {"from": places.get(name, f"/{name}"), "type": kind} for name, kind in types}
    return action


def mix_peer_data(world: World, public_keys: Sequence[tuple[str, bytes]]) -> dict[str, Any]:
    """The same as data of the Go peer's `mix.rego`. `public_keys` are ids and raw keys that tokens are signed with."""
    keys = [
        {"kty": "OKP", "crv": "Ed25519", "x": base64url.encode(raw).decode("ascii"), "kid": kid, "alg": "EdDSA"}
        for kid, raw in public_keys
    ]
    return {
        "jwks": json.dumps({"keys": keys}),
        "places": {tool.host: _place(tool) for tool in world.tools},
        "policies": {str(rights.scope): _peer_rules(rights) for rights in world.agents},
    }


def _place(tool: MixTool) -> dict[str, Any]:
    shapes = {tool.action(shape): shape.value for shape in Shape}
    if tool.is_mcp:
        return {"tool": tool.name, "mcp": shapes}
    routes: dict[str, dict[str, Any]] = {}
    for shape in Shape:
        segments = tool.path(shape, "{id}").strip("/").split("/")
        route = {"action": tool.action(shape), "shape": shape.value, "last": segments[3] if segments[3:] else ""}
        routes.setdefault(METHODS[shape], {})[str(len(segments))] = route
    return {"tool": tool.name, "noun": tool.noun, "routes": routes}


def _peer_rules(rights: Rights) -> dict[str, Any]:
    subject = f"^{SUBJECT_ID}$"
    rules = {
        Shape.CREATE: {
            "held_over": rights.held_over,
            "currencies": dict.fromkeys(rights.currencies, True),
            "reference": f"^{REFERENCE}$",
        },
        Shape.UPDATE: {"id": subject, "statuses": dict.fromkeys(rights.statuses, True), "note": MOST_NOTE},
        Shape.MESSAGE: {
            "id": subject,
            "domains": dict.fromkeys(rights.domains, True),
            "subject": MOST_SUBJECT,
            "labels": MOST_LABELS,
        },
        Shape.READ: {"id": subject},
    }
    return {tool.name: {tool.action(shape): rule for shape, rule in rules.items()} for tool in rights.tools}
