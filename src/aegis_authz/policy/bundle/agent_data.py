"""Registered agents as plain JSON inside a bundle, and back, strictly: what the data plane knows of each.

`snapshot.agents` maps `org/tenant/agent` to `{ways, agent_keys: [{digest, ranges, starts_at, ends_at}], spiffe_ids}`.
Public keys are not among this: a token names its own, and the control plane alone issues tokens.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from ipaddress import ip_network

from aegis_authz.core.identity import Way
from aegis_authz.core.json_value import Json
from aegis_authz.core.registration import AgentKey, Registration, Registry
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.encoding.narrowing import items, mapping, members, text

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


def agents_to_data(agents: Mapping[Scope, Registration]) -> dict[str, Json]:
    """The registered agents as JSON values, each with what differs between agents in a fixed order."""
    return {str(scope): _registration_to_data(agents[scope]) for scope in sorted(agents, key=str)}


def agents_from_data(data: Json) -> Registry:
    """Read what `agents_to_data` wrote. Raises ValueError for anything else."""
    entries = mapping(data, "the agents")
    return Registry.of({Scope.parse(scope): _registration(entry) for scope, entry in entries.items()})


def _registration_to_data(registration: Registration) -> Json:
    return {
        "ways": [*sorted(way.value for way in registration.ways)],
        "agent_keys": [
            {"digest": key.digest, "ranges": [*key.ranges], "starts_at": key.starts_at, "ends_at": key.ends_at}
            for key in registration.agent_keys
        ],
        "spiffe_ids": [*sorted(registration.spiffe_ids)],
    }


def _registration(data: Json) -> Registration:
    entry = members(data, {"ways", "agent_keys", "spiffe_ids"}, "an agent")
    return Registration(
        ways=frozenset(Way(text(way, "a way")) for way in items(entry["ways"], "ways")),
        agent_keys=tuple(_agent_key(key) for key in items(entry["agent_keys"], "agent_keys")),
        spiffe_ids=frozenset(text(spiffe_id, "a SPIFFE id") for spiffe_id in items(entry["spiffe_ids"], "spiffe_ids")),
    )


def _agent_key(data: Json) -> AgentKey:
    entry = members(data, {"digest", "ranges", "starts_at", "ends_at"}, "an agent key")
    digest = text(entry["digest"], "a digest")
    ranges = tuple(str(ip_network(text(part, "a range"))) for part in items(entry["ranges"], "ranges"))
    if _DIGEST.match(digest) is None or not ranges:
        raise ValueError("an agent key has no digest or no ranges")
    ends_at = None if entry["ends_at"] is None else _time(entry["ends_at"])
    return AgentKey(digest, ranges, _time(entry["starts_at"]), ends_at)


def _time(data: Json) -> Epoch:
    if isinstance(data, bool) or not isinstance(data, int | float) or not math.isfinite(data) or data < 0:
        raise ValueError("a time is not a number of seconds")
    return Epoch(float(data))
