"""Plays a use case on a mesh that runs, and gathers its evidence as somebody who was not there would."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence

from aegis_authz.core.json_value import Json
from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import CommandFailed, DemoMesh
from aegis_authz.demo.use_cases.metrics import movements, panels, read_series, showing
from aegis_authz.demo.use_cases.sigma import alerts, sigma_rules
from aegis_authz.demo.use_cases.span_receiver import SpanReceiver
from aegis_authz.demo.use_cases.use_case import Evidence, Outcome, UseCase
from aegis_authz.local.documents import dashboard_folder, sigma_folder

_EVENT_KINDS = ("decision", "approval", "redaction")
_PATIENCE = 30.0
"""Seconds in which the span of a decision arrives."""


async def play(use_case: UseCase, mesh: DemoMesh, agent: Agent, receiver: SpanReceiver) -> Outcome:
    """Play it; `receiver` is where the mesh exports spans to. Nobody else may call meanwhile.

    Raises CommandFailed, httpx.HTTPError.
    """
    before, began = await read_series(mesh.metrics), time.time()
    rows = await use_case.chapter(mesh, agent)
    events = await _events(mesh, began)
    decision_ids = [str(event["decision_id"]) for event in events if event["kind"] == "decision"]
    moved = movements(before, await read_series(mesh.metrics))
    is_intact, verdict = await _verdict(mesh)
    evidence = Evidence(
        events=events,
        is_intact=is_intact,
        verdict=verdict,
        spans=await receiver.views(decision_ids, _PATIENCE),
        movements=moved,
        panels=showing(panels(dashboard_folder()), moved),
        alerts=alerts(sigma_rules(sigma_folder()), events),
    )
    return Outcome(use_case, rows, evidence)


async def _events(mesh: DemoMesh, since: float) -> Sequence[Mapping[str, Json]]:
    """The records from then on, as a SIEM has them; with a cursor, so that first uses are known."""
    cursor = mesh.folder / f"{since}.cursor"
    words = ("--format", "json", "--parameters", "clear", "--cursor", str(cursor), "--dir", str(mesh.state))
    printed = [json.loads(line) for line in (await mesh.aegis("export", *words)).splitlines()]
    events = [event for event in printed if event["kind"] in _EVENT_KINDS and event["time"] >= since]
    return sorted(events, key=lambda event: float(event["time"]))


async def _verdict(mesh: DemoMesh) -> tuple[bool, str]:
    try:
        printed = await mesh.aegis("audit", "verify", "--dir", str(mesh.state))
    except CommandFailed as damage:
        return False, str(damage)
    return True, printed.splitlines()[-1]
