"""How much an event matters to whoever watches: one word for all formats."""

from __future__ import annotations

from enum import Enum

from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import (
    ApprovalRecord,
    ApprovalStep,
    CutRecord,
    DecisionRecord,
    KeyRecord,
    OutcomeRecord,
    Record,
    RedactionRecord,
    RefusalsRecord,
    SealRecord,
    UsageRecord,
)

_ATTACKS = frozenset(
    {
        Reason.CREDENTIAL_UNSIGNED,
        Reason.CREDENTIAL_UNTRUSTED,
        Reason.CREDENTIAL_INVALID,
        Reason.PROOF_INVALID,
        Reason.PROOF_MISMATCH,
        Reason.GRANT_WIDER,
        Reason.REPLAYED,
        Reason.REVOKED,
        Reason.QUARANTINED,
        Reason.EGRESS_DENIED,
        Reason.ROUTE_MISMATCH,
        Reason.APPROVAL_MISMATCH,
        Reason.APPROVAL_USED,
    }
)
"""Refusals that no agent meets which does what it is meant to do."""
_FAULTS = frozenset(
    {
        Reason.PDP_UNAVAILABLE,
        Reason.DECISION_UNDEFINED,
        Reason.DECISION_MALFORMED,
        Reason.STORE_RESET,
        Reason.STORE_UNAVAILABLE,
        Reason.STORE_READONLY,
        Reason.STORE_FULL,
        Reason.LIMIT_LOST,
        Reason.OBLIGATION_UNKNOWN,
        Reason.RECORD_FAILED,
        Reason.INTERNAL_FAULT,
    }
)
"""Refusals that say that the mesh itself is not well."""


class Severity(Enum):
    """The severities of OCSF that events have; the names are its captions."""

    INFORMATIONAL = "informational"
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"

    @property
    def is_alert(self) -> bool:
        """Whether somebody should look at it by itself."""
        return self is Severity.HIGH


def severity_of(record: Record) -> Severity:
    """The severity of the record's event."""
    match record:
        case DecisionRecord():
            return _of_decision(record)
        case RefusalsRecord():
            return Severity.HIGH if record.reason in _ATTACKS | _FAULTS else Severity.MEDIUM
        case ApprovalRecord():
            return Severity.LOW if record.step is not ApprovalStep.UNDONE else Severity.MEDIUM
        case RedactionRecord():
            return Severity.INFORMATIONAL if record.outcome == "done" else Severity.MEDIUM
        case CutRecord() | KeyRecord():
            return Severity.MEDIUM
        case OutcomeRecord() | UsageRecord() | SealRecord():
            return Severity.INFORMATIONAL


def _of_decision(record: DecisionRecord) -> Severity:
    if record.quarantined_until or record.reason in _ATTACKS or record.reason in _FAULTS:
        return Severity.HIGH
    if record.effect is Effect.DENY or record.would == Effect.DENY.value:
        return Severity.MEDIUM
    return Severity.LOW if record.effect is Effect.APPROVAL_NEEDED else Severity.INFORMATIONAL
