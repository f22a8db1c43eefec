"""How the processes of a running mesh are at this moment, asked by themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from aegis_authz.local.process import Ready
from aegis_authz.local.readiness import mesh_checks

_READY = "ready"


@dataclass(frozen=True, slots=True)
class Health:
    """One process. `trouble` is "" when it does its work now; `since` is wall-clock seconds."""

    name: str
    state: str
    pid: int | None
    restarts: int
    since: float
    endpoint: str
    trouble: str


async def look_at(facts: Mapping[str, Any]) -> list[Health]:
    """Ask every process of the mesh that `facts` (mesh.json) describe."""
    authz = facts["authz"]
    checks = mesh_checks(Path(facts["run"]), urlsplit(facts["control"]).port or 0, len(authz))
    endpoints = {"redis": facts["redis"], "control": facts["control"], "opa": facts["opa"], "envoy": facts["proxy"]}
    endpoints |= {f"authz-{number}": address for number, address in enumerate(authz)}
    processes = facts["processes"]
    troubles = await asyncio.gather(*(_trouble(process, checks[process["name"]]) for process in processes))
    return [
        Health(
            name=process["name"],
            state=process["state"] if not trouble or process["state"] != _READY else "not ready",
            pid=process["pid"],
            restarts=process["restarts"],
            since=process["since"],
            endpoint=endpoints[process["name"]],
            trouble=trouble,
        )
        for process, trouble in zip(processes, troubles, strict=True)
    ]


async def _trouble(process: Mapping[str, Any], check: Ready) -> str:
    if process["state"] != _READY:
        return str(process["why"] or process["state"])
    return await check()
