"""Plays a use case on a mesh that runs, and gathers its evidence as somebody who was not there would."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from datetime import UTC
from importlib.metadata import version as installed_version
from pathlib import Path

from aegis_authz.commands.records import verify_records, whole_lines
from aegis_authz.core.json_value import Json
from aegis_authz.demo.agent import Agent
from aegis_authz.demo.mesh import DemoMesh
from aegis_authz.demo.use_cases.metrics import movements, panels, read_series, showing
from aegis_authz.demo.use_cases.sigma import alerts, sigma_rules
from aegis_authz.demo.use_cases.span_receiver import SpanReceiver
from aegis_authz.demo.use_cases.use_case import Evidence, Outcome, UseCase
from aegis_authz.local.documents import dashboard_folder, sigma_folder
from aegis_authz.siem.entry import read_entry
from aegis_authz.siem.event import Parameters
from aegis_authz.siem.formats import Format, Shape
from aegis_authz.siem.occasion import Uses

_EVENT_KINDS = ("decision", "approval", "redaction")
_PATIENCE = 30.0
"""Seconds in which the span of a decision arrives."""


async def play(use_case: UseCase, mesh: DemoMesh, agent: Agent, receiver: SpanReceiver) -> Outcome:
    """Play it; `receiver` is where the mesh exports spans to. Nobody else may call meanwhile.

    Raises CommandFailed, EntryInvalid, Unable, httpx.HTTPError.
    """
    before, began = await read_series(mesh.metrics), time.time()
    rows = await use_case.chapter(mesh, agent)
    events = await asyncio.to_thread(_events, mesh.state / "records", began)
    decision_ids = [str(event["decision_id"]) for event in events if event["kind"] == "decision"]
    moved = movements(before, await read_series(mesh.metrics))
    is_intact, verdict = await asyncio.to_thread(_verdict, mesh.state)
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


def _events(records: Path, since: float) -> Sequence[Mapping[str, Json]]:
    """The records from then on, as `aegis export --format json --parameters clear` writes them.

    Raises EntryInvalid, Unable.
    """
    shape, uses = Shape(Format.JSON, Parameters.CLEAR, UTC, installed_version("aegis-authz")), Uses()
    entries = [read_entry(line) for line in whole_lines(records)]
    recent = sorted((entry for entry in entries if entry.record.time >= since), key=lambda entry: entry.record.time)
    return [json.loads(shape.event(entry, uses).text) for entry in recent if entry.kind in _EVENT_KINDS]


def _verdict(state: Path) -> tuple[bool, str]:
    """What `aegis audit verify` says of all logs."""
    reports = verify_records(state / "records", state, None, None, None, ())
    damages = [f"{report.writer}: {damage.sentence()}" for report in reports for damage in report.damages]
    if damages or not all(report.is_intact for report in reports):
        return False, "; ".join(damages) or "NOT PROVEN"
    return True, f"intact: {sum(report.records for report in reports)} records in {len(reports)} logs"
