"""Records of some calls in a control plane's folder, and the people who may read which."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.files.keys import publish_record_keys
from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import ApprovalStep, OutcomeRecord, Record
from aegis_authz.core.scope import Scope
from tests.support.made_records import APPROVAL, DENIED, approval_step, named
from tests.support.people import person

HELD = replace(
    DENIED,
    decision_id="held",
    effect=Effect.APPROVAL_NEEDED,
    reason=Reason.APPROVAL_NEEDED,
    approval_id=APPROVAL,
)
APPROVED = approval_step(HELD, ApprovalStep.APPROVED, 30.0, "ann", "as agreed")
USED = replace(
    HELD, decision_id="used", time=HELD.time + 60, effect=Effect.ALLOW, reason=Reason.ALLOWED, approved_by="ann"
)
OUTCOME = OutcomeRecord("used", USED.time + 1, 200, "", (), True, 1, 1, 1.0, 2.0, None)
ABROAD = replace(
    DENIED, decision_id="abroad", identity=replace(named("bot"), scope=Scope("acme", "apac", "bot")), tool="ehr"
)
NOBODYS = replace(DENIED, decision_id="nobodys", identity=None)
RECORDS: tuple[Record, ...] = (HELD, APPROVED, USED, OUTCOME, ABROAD, NOBODYS)
READERS = (
    person("vic", "viewer"),
    person("eve", "approver@acme/emea"),
    person("tom", "auditor@acme/apac"),
    person("gus", "auditor@globex/emea"),
    person("ada", "auditor"),
)


async def write_records(
    records: Path, keys: Path, key: Ed25519PrivateKey, written: tuple[Record, ...] = RECORDS
) -> None:
    """Append to the log of an authorizer, and publish its key beside it."""
    keys.mkdir(exist_ok=True)
    publish_record_keys(keys, key.public_key().public_bytes_raw())
    async with FileRecordLog(records / "authz-0", "authz-0", key, SystemClock()) as log:
        for record in written:
            await log.append(record)
