"""What `aegis doctor` proves of the ports that stand for an agent each: a call without a credential is that agent's."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import httpx

from aegis_authz.adapters.records.files import NoRecords
from aegis_authz.commands.records import latest_decision
from aegis_authz.core.identity import Way
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import DecisionRecord
from aegis_authz.local.mesh_facts import MeshFacts
from aegis_authz.local.proof import Proof

_URL = "http://unlisted.aegis.invalid/"
_TIMEOUT = 5.0
_LAST_LINES = 500


async def prove_workloads(state: Path, facts: MeshFacts) -> list[Proof]:
    """One proof for each such port. Raises OSError."""
    return [await _proof(state, agent, url) for agent, url in sorted(facts.workload.items())]


async def _proof(state: Path, agent: str, url: str) -> Proof:
    began = time.perf_counter()
    try:
        async with httpx.AsyncClient(proxy=url, trust_env=False, timeout=_TIMEOUT) as client:
            response = await client.get(_URL)
        decision, decision_id = (response.headers.get(f"x-aegis-decision{part}", "") for part in ("", "-id"))
        fault = "" if decision_id else f"the call was not judged: status {response.status_code}"
    except httpx.HTTPError as error:
        decision, decision_id, fault = "", "", f"no answer: {type(error).__name__}"
    ms = (time.perf_counter() - began) * 1000
    record = await asyncio.to_thread(_recorded, state / "records", decision_id) if decision_id else None
    return Proof(
        call=f"no credential, on {url}",
        control=f"the port stands for {agent}",
        expected=f"deny {Reason.EGRESS_DENIED.value}",
        answer=decision or "none",
        reason="" if record is None else record.reason.value,
        decision_id=decision_id,
        ms=ms,
        trouble=fault or _trouble(record, agent),
    )


def _recorded(records: Path, decision_id: str) -> DecisionRecord | None:
    try:
        return latest_decision(records, decision_id, _LAST_LINES)
    except NoRecords:
        return None


def _trouble(record: DecisionRecord | None, agent: str) -> str:
    if record is None:
        return "the decision is not in the records"
    identity = record.identity
    if identity is None or identity.way is not Way.WORKLOAD or str(identity.scope) != agent:
        return f"the call is not judged as that of {agent}: {record.detail or record.reason.value}"
    # whatever the agent may do, it may not reach a host that no catalogue has
    return "" if record.reason is Reason.EGRESS_DENIED else f"expected deny {Reason.EGRESS_DENIED.value}"
