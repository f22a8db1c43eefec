"""What `aegis doctor` may do with the keys, records and control plane of a mesh on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.files.keys import ISSUER, KeyFolderError, load_ed25519
from aegis_authz.adapters.records.files import NoRecords, writer_folders
from aegis_authz.adapters.records.recovery import record_files
from aegis_authz.adapters.system import SystemClock, SystemIds
from aegis_authz.bootstrap.settings import SettingsError, load_settings
from aegis_authz.commands.approvals import deny
from aegis_authz.commands.faults import CommandFault, unable_on
from aegis_authz.config import ControlSettings
from aegis_authz.core.json_value import Json
from aegis_authz.evidence.chain import NotARecord, read_members
from aegis_authz.identity.mint import mint_token
from aegis_authz.local.echo import EchoPortTaken
from aegis_authz.local.proof import PROBER, Means, Proof, prove

_TTL = 30
_TAIL_BYTES = 256 * 1024


async def prove_mesh(state: Path, facts: Mapping[str, Json]) -> list[Proof]:
    """Prove the mesh that runs in this folder; `facts` is its mesh.json. Raises Unable."""
    port = urlsplit(str(facts["probe"])).port or 0
    with unable_on(EchoPortTaken, KeyFolderError, SettingsError, OSError):
        return await prove(str(facts["proxy"]), port, means(state))


def means(state: Path) -> Means:
    """The doctor's means in the mesh of this folder. Raises KeyFolderError, SettingsError."""
    settings = load_settings(state / "control.yaml", ControlSettings)
    trusted, foreign = load_ed25519(state / "keys" / ISSUER), Ed25519PrivateKey.generate()

    def refuse(approval_id: str) -> str:
        try:
            return deny(state, approval_id, PROBER.org, "a call of aegis doctor").state.value
        except CommandFault as fault:
            return str(fault)

    return Means(
        mint=lambda: _token(settings, trusted),
        forge=lambda: _token(settings, foreign),
        reason_of=lambda decision_id: recorded_reason(state / "records", decision_id),
        refuse=refuse,
    )


def recorded_reason(records: Path, decision_id: str) -> str:
    """The reason of a decision made a moment ago, "" when it is not at the end of any log. Raises OSError."""
    try:
        writers = writer_folders(records)
    except NoRecords:
        return ""
    for writer in writers:
        for path in record_files(writer)[-2:]:
            with path.open("rb") as log:
                log.seek(max(0, log.seek(0, 2) - _TAIL_BYTES))
                for line in log:
                    if decision_id.encode() in line and (reason := _reason(line, decision_id)):
                        return reason
    return ""


def _reason(line: bytes, decision_id: str) -> str:
    try:
        members = read_members(line)
    except NotARecord:
        return ""  # the rest of a line whose beginning was not read
    is_it = members.get("kind") == "decision" and members.get("decision_id") == decision_id
    return str(members.get("reason", "")) if is_it else ""


def _token(settings: ControlSettings, key: Ed25519PrivateKey) -> str:
    return mint_token(
        key,
        issuer=settings.issuer,
        audience=settings.audience,
        scope=PROBER,
        now=SystemClock().now(),
        ttl=min(_TTL, settings.max_token_life),
        jti=SystemIds().token(),
    )
