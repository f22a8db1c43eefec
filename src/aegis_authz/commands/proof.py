"""What `aegis doctor` may do with the keys, records and control plane of a mesh on this machine."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.files.keys import ISSUER, KeyFolderError, load_ed25519
from aegis_authz.adapters.records.files import NoRecords
from aegis_authz.adapters.system import SystemClock, SystemIds
from aegis_authz.bootstrap.settings import SettingsError, load_settings
from aegis_authz.commands.agents import list_registered
from aegis_authz.commands.approvals import channels_of, deny
from aegis_authz.commands.faults import CommandFault, unable_on
from aegis_authz.commands.reach_proof import prove_reach
from aegis_authz.commands.records import latest_decision
from aegis_authz.commands.route_proof import prove_routes
from aegis_authz.commands.workload_proof import prove_workloads
from aegis_authz.config.control import ControlSettings
from aegis_authz.core.identity import Way
from aegis_authz.core.units import Jti, Seconds
from aegis_authz.identity.mint import mint_token
from aegis_authz.local.doctor_tool import DoctorPortTaken
from aegis_authz.local.mesh_facts import MeshFacts
from aegis_authz.local.proof import PROBER, DoctorPowers, Proof, prove

_TTL = 30
_LAST_LINES = 500
_MOST_NAMED = 10


async def prove_mesh(state: Path, facts: MeshFacts) -> list[Proof]:
    """Prove the mesh that runs in this folder, routes first; `facts` is its mesh.json. Raises Unable."""
    port = urlsplit(facts.probe).port or 0
    with unable_on(DoctorPortTaken, KeyFolderError, SettingsError, OSError):
        calls = await prove(facts.proxy, port, doctor_powers(state))
        ports = await prove_workloads(state, facts)
    weak = await asyncio.to_thread(static_keys, state)
    channels = await asyncio.to_thread(live_channels, state)
    reach = await asyncio.to_thread(prove_reach, state)
    others = [reach, *(proof for proof in (weak, channels) if proof is not None)]
    return [await prove_routes(state, facts), *others, *calls, *ports]


def live_channels(state: Path) -> Proof | None:
    """Whether every channel by which people learn of held calls delivers, None where there are none."""
    started = time.perf_counter()
    try:
        channels = channels_of(state).channels
        dead = [f"{channel.kind}: {channel.trouble}" for channel in channels if channel.failures]
        answer, trouble = f"{len(channels) - len(dead)} of {len(channels)} deliver", "; ".join(dead)
        if not channels:
            return None
    except CommandFault as fault:
        answer, trouble = "not listed", str(fault)
    return Proof(
        call="no call: channels for held calls",
        control="the people who decide: they learn of what waits",
        expected="each delivers",
        answer=answer,
        reason="",
        decision_id="",
        ms=(time.perf_counter() - started) * 1000,
        trouble=trouble,
    )


def static_keys(state: Path) -> Proof | None:
    """The agents that may prove themselves by a static secret, None where there are none: no fault of the mesh."""
    started = time.perf_counter()
    try:
        agents = [entry.agent for entry in list_registered(state).agents if Way.AGENT_KEY.value in entry.ways]
        answer, trouble = f"{len(agents)}: {', '.join(agents[:_MOST_NAMED])}", ""
    except CommandFault as fault:
        agents, answer, trouble = ["unknown"], "not listed", str(fault)
    if not agents:
        return None
    return Proof(
        call="no call: agents with a static key",
        control="the weaker proof: whoever copies the key is the agent",
        expected="none, or named",
        answer=answer,
        reason="",
        decision_id="",
        ms=(time.perf_counter() - started) * 1000,
        trouble=trouble,
    )


def doctor_powers(state: Path) -> DoctorPowers:
    """The powers of the doctor in the mesh of this folder. Raises KeyFolderError, SettingsError."""
    settings = load_settings(state / "control.yaml", ControlSettings)
    trusted, foreign = load_ed25519(state / "keys" / ISSUER), Ed25519PrivateKey.generate()

    def refuse(approval_id: str) -> str:
        try:
            return deny(state, approval_id, "a call of aegis doctor").state.value
        except CommandFault as fault:
            return str(fault)

    return DoctorPowers(
        mint=lambda: _token(settings, trusted),
        forge=lambda: _token(settings, foreign),
        reason_of=lambda decision_id: recorded_reason(state / "records", decision_id),
        refuse=refuse,
    )


def recorded_reason(records: Path, decision_id: str) -> str:
    """The reason of a decision made a moment ago, "" when it is not at the end of any log. Raises OSError."""
    try:
        record = latest_decision(records, decision_id, _LAST_LINES)
    except NoRecords:
        return ""
    return record.reason.value if record is not None else ""


def _token(settings: ControlSettings, key: Ed25519PrivateKey) -> str:
    return mint_token(
        key,
        issuer=settings.issuer,
        audience=settings.mesh_audience,
        scope=PROBER,
        now=SystemClock().now(),
        ttl=Seconds(min(_TTL, settings.max_token_life)),
        jti=Jti(SystemIds().token()),
    )
