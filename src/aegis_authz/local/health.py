"""How the processes of a running mesh are at this moment, asked by themselves."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from aegis_authz.local.layout import Layout
from aegis_authz.local.mesh_facts import MeshFacts, ProcessFacts
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


async def look_at(facts: MeshFacts) -> list[Health]:
    """Ask every process of the mesh that `facts` describe."""
    layout = Layout(Path(facts.state), Path(facts.run))
    control, prometheus = (urlsplit(url).port or 0 for url in (facts.control, facts.prometheus))
    checks = mesh_checks(layout.run, layout.xds, control, len(facts.authz), prometheus)
    endpoints = {"redis": facts.redis, "control": facts.control, "opa": facts.opa, "envoy": facts.proxy, "echo": ""}
    endpoints["prometheus"] = facts.prometheus
    endpoints["certificates"] = f"unix:{layout.socket('certs')}"
    endpoints |= {f"authz-{number}": address for number, address in enumerate(facts.authz)}
    troubles = await asyncio.gather(*(_trouble(process, checks[process.name]) for process in facts.processes))
    return [
        Health(
            name=process.name,
            state=process.state if not trouble or process.state != _READY else "not ready",
            pid=process.pid,
            restarts=process.restarts,
            since=process.since,
            endpoint=endpoints[process.name],
            trouble=trouble,
        )
        for process, trouble in zip(facts.processes, troubles, strict=True)
    ]


async def _trouble(process: ProcessFacts, check: Ready) -> str:
    if process.state != _READY:
        return process.why or process.state
    return await check()
