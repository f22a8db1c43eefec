"""A log with a record of every kind, as an export finds it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from aegis_authz.core.effect import Effect
from aegis_authz.core.money import Money
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import (
    ApprovalRecord,
    ApprovalStep,
    ChargeRecord,
    CostState,
    CutRecord,
    DecisionRecord,
    KeyRecord,
    OutcomeRecord,
    Record,
    RedactionRecord,
    RefusalsRecord,
    SealRecord,
    SettledCost,
    UsageRecord,
)
from aegis_authz.core.scope import Scope
from aegis_authz.evidence.chain import encode_record, link
from aegis_authz.evidence.log_report import LogLine
from aegis_authz.siem.entry import Entry, read_entry
from tests.support.made_records import AGENT, DENIED

_NOW = DENIED.time
_COST = SettledCost(Money(20_000, "USD"), CostState.KEPT)
_CHARGE = ChargeRecord("l", "500 USD a day", "p", "acme/emea", "budget", "USD", 10, 85, 15, 100, 0.0, "within", "deny")
ALLOWED = replace(
    DENIED,
    decision_id="d-2",
    effect=Effect.ALLOW,
    reason=Reason.ALLOWED,
    detail="",
    findings=(),
    identity=replace(AGENT, session="s-1", on_behalf_of="ann", actors=("planner",)),
    charges=(_CHARGE,),
    cost=Money(20_000, "USD"),
    trace_id="4bf92f3577b34da6a3ce929d0e0e4736",
    request_id="req-1",
    port=443,
)
NOBODY = replace(
    DENIED, decision_id="d-3", identity=None, reason=Reason.CREDENTIAL_MISSING, tool="", action="", host="", method=""
)
EGRESS = replace(DENIED, decision_id="d-4", reason=Reason.EGRESS_DENIED, tool="", action="", policies=())
HELD = replace(
    DENIED, decision_id="d-5", effect=Effect.APPROVAL_NEEDED, reason=Reason.APPROVAL_NEEDED, approval_id="apr_1"
)
SANITIZED = replace(ALLOWED, decision_id="d-6", effect=Effect.SANITIZE, reason=Reason.SANITIZED, parameters={})
REFUSALS = RefusalsRecord(_NOW + 1, Reason.OVERLOADED, 40, _NOW, _NOW + 1, ("d-7",), ("10.0.0.1",))
APPROVED = ApprovalRecord(
    "d-5", _NOW + 5, "apr_1", ApprovalStep.APPROVED, "ann", "fine", Scope("acme", "emea", "finance-agent"),
    "stripe-payments", "create_payment", "d", "b", "r1", ("acme/emea/finance-agent",), _NOW, _NOW + 900,
)  # fmt: skip
EXPIRED = replace(APPROVED, step=ApprovalStep.EXPIRED, by="", note="its time was over")
EVERY: tuple[Record, ...] = (
    DENIED,
    ALLOWED,
    NOBODY,
    EGRESS,
    HELD,
    SANITIZED,
    REFUSALS,
    APPROVED,
    EXPIRED,
    RedactionRecord("d-6", _NOW + 3, "response", {"us_ssn": 2}, "done"),
    OutcomeRecord("d-2", _NOW + 3, 200, "via_upstream", (), True, 10, 20, 1.5, 2.5, _COST),
    UsageRecord("d-2", _NOW + 3, (10, 0, 0, 5), _COST),
    CutRecord(_NOW + 4, 40, "00000001-300.0.torn"),
    KeyRecord(_NOW + 4, "k2", "note"),
    SealRecord(_NOW + 4, 1, 1, 14, "0" * 64, "signature"),
)
"""One of every kind, decisions of every effect among them."""


def lines(records: tuple[Record, ...], writer: str = "authz-0", first: int = 1) -> list[LogLine]:
    """The records as lines of a log; `first` is the number of the first of them."""
    found, prev = [], bytes(32)
    for number, record in enumerate(records, start=first):
        raw, prev = link(writer, number, prev, encode_record(record))
        found.append(LogLine(f"{writer}/00000001.jsonl", number, raw))
    return found


def entries(records: tuple[Record, ...] = EVERY) -> list[Entry]:
    """The records as an export reads them."""
    return [read_entry(line) for line in lines(records)]


def write_log(folder: Path, records: tuple[Record, ...], writer: str = "authz-0") -> Path:
    """A log of these records in `folder`; returns its file."""
    path = folder / writer / "00000001.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(line.raw for line in lines(records, writer)))
    return path


def payment(number: int) -> DecisionRecord:
    """One of many decisions, told apart by its id and its time."""
    return replace(DENIED, decision_id=f"d-{number}", time=_NOW + number)
