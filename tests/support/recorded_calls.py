"""Logs of recorded calls of the small policy folder."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.records.log import FileRecordLog
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import REASONS, Reason
from aegis_authz.core.record import DecisionRecord, OutcomeRecord, Record
from tests.support.made_records import DENIED, named

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
NOON = 1_796_040_000.0
"""2026-11-30T12:00:00Z, the time of the first call."""


def payment(at: float, amount: Json, reason: Reason, payee: str = "ACME", agent: str = "payer") -> DecisionRecord:
    """The record of a payment `at` so many seconds after noon, answered for that reason."""
    time = NOON + at
    identity = replace(named(agent), issued_at=time - 1, expires_at=time + 60)
    return replace(
        DENIED,
        decision_id=f"d-{at}",
        time=time,
        effect=REASONS[reason].effect,
        reason=reason,
        detail="",
        identity=identity,
        tool="payments-api",
        action="pay",
        host="payments.example",
        path="/payments",
        parameters={"amount": amount, "payee": payee},
        digest=f"{hash((amount, payee)) & 0xFFFFFFFF:064x}",
        policies=("paying",),
        findings=(),
        approved_by="ann" if reason is Reason.APPROVED else "",
    )


def outcome(of: DecisionRecord, after: float, status: int = 201, was_reached: bool = True) -> OutcomeRecord:
    """What became of a call, `after` so many seconds."""
    details = "via_upstream" if was_reached else "upstream_reset_before_response_started"
    return OutcomeRecord(of.decision_id, of.time + after, status, details, (), was_reached, 0, 0, 1.0, 2.0, None)


def withheld(record: DecisionRecord) -> DecisionRecord:
    """The same where the record holds no parameters."""
    return replace(record, parameters={}, withheld=len(record.parameters))


def sanitized(record: DecisionRecord) -> DecisionRecord:
    """The same with the effect of a redaction."""
    return replace(record, effect=Effect.SANITIZE)


def write_log(records: Path, writer: str, lines: Iterable[Record]) -> None:
    """Write a log as an authorizer would."""

    async def written() -> None:
        async with FileRecordLog(records / writer, writer, KEY, SystemClock()) as log:
            await asyncio.gather(*map(log.append, lines))

    asyncio.run(written())
