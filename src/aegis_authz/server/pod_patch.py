"""What a pod of an agent gets of its gateway, as a JSON Patch (RFC 6902).

The chart's MutatingAdmissionPolicy says the same in CEL (deploy/helm/aegis/templates/sidecar/injection.yaml), for
clusters that have that kind; both are written from one list of containers and volumes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aegis_authz.core.json_value import Json
from aegis_authz.encoding.narrowing import integer, items, mapping, members

AGENT_LABEL = "aegis/agent"
_AGENT = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,61}[a-z0-9])?\Z")
_HERE = "@AGENT@"
"""Stands for the value of the label in texts of the injection."""


class NotInjected(Exception):
    """The pod gets no gateway, and so must not run; the message is for whoever made the pod."""


@dataclass(frozen=True, slots=True)
class Injection:
    """What each pod gets: the group that owns its volumes, these volumes, and these containers before its own."""

    fs_group: int
    volumes: Sequence[Json]
    containers: Sequence[Json]

    @classmethod
    def of(cls, value: Json) -> Injection:
        """Read it as the chart writes it. Raises ValueError naming the member that is wrong."""
        read = members(value, {"fsGroup", "volumes", "containers"}, "the injection")
        injection = cls(
            integer(read["fsGroup"], "fsGroup"),
            items(read["volumes"], "volumes"),
            items(read["containers"], "containers"),
        )
        if not injection.containers:
            raise ValueError("containers: a gateway has some")
        return injection


def patch_of(pod: Mapping[str, Json], injection: Injection) -> list[Json]:
    """The operations that put the gateway before anything of the pod's own. Raises NotInjected."""
    spec, agent = _part(pod, "spec"), _agent_of(pod)
    operations: list[Json] = []
    if spec.get("securityContext") is None:
        operations.append(_add("/spec/securityContext", {}))
    operations.append(_add("/spec/securityContext/fsGroup", injection.fs_group))
    for member, at, entries in (
        ("volumes", "-", injection.volumes),
        ("initContainers", "", injection.containers),
    ):
        if spec.get(member) is None:
            operations.append(_add(f"/spec/{member}", []))
        operations += (
            _add(f"/spec/{member}/{at or place}", _named(entry, agent)) for place, entry in enumerate(entries)
        )
    return operations


def _agent_of(pod: Mapping[str, Json]) -> str:
    agent = _part(_part(pod, "metadata"), "labels").get(AGENT_LABEL)
    if not isinstance(agent, str) or _AGENT.match(agent) is None:
        raise NotInjected(
            f"aegis: label the pod {AGENT_LABEL} with an agent that sidecar.namespaces of the chart names"
        )
    return agent


def _part(value: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    try:
        return mapping(value.get(name) or {}, name)
    except ValueError as fault:
        raise NotInjected(f"aegis: {fault}") from None


def _named(value: Json, agent: str) -> Json:
    match value:
        case str():
            return value.replace(_HERE, agent)
        case dict():
            return {name: _named(entry, agent) for name, entry in value.items()}
        case list():
            return [_named(entry, agent) for entry in value]
        case _:
            return value


def _add(path: str, value: Json) -> Json:
    return {"op": "add", "path": path, "value": value}
