"""What a record is sought by in the index of records."""

from __future__ import annotations

from typing import NamedTuple

from aegis_authz.core.record import (
    ApprovalRecord,
    DecisionRecord,
    OutcomeRecord,
    Record,
    RedactionRecord,
    UsageRecord,
)
from aegis_authz.core.scope import Scope


class Columns(NamedTuple):
    """What a record is sought by; "" where it has none."""

    time: float
    kind: str
    decision_id: str
    approval_id: str = ""
    org: str = ""
    tenant: str = ""
    scope: str = ""
    agent: str = ""
    tool: str = ""
    effect: str = ""
    reason: str = ""


def columns_of(record: Record) -> Columns | None:
    """What a record that is indexed is sought by; None for any other."""
    match record:
        case DecisionRecord():
            names = _names(None if record.identity is None else record.identity.scope)
            effect, reason = record.effect.value, record.reason.value
            ids = (_storable(record.decision_id), _storable(record.approval_id))
            return Columns(record.time, "decision", *ids, *names, _storable(record.tool), effect, reason)
        case ApprovalRecord():
            ids = (_storable(record.decision_id), _storable(record.approval_id))
            return Columns(record.time, "approval", *ids, *_names(record.scope), _storable(record.tool))
        case OutcomeRecord():
            return Columns(record.time, "outcome", _storable(record.decision_id))
        case UsageRecord():
            return Columns(record.time, "usage", _storable(record.decision_id))
        case RedactionRecord():
            return Columns(record.time, "redaction", _storable(record.decision_id))
        case _:
            return None


def _names(scope: Scope | None) -> tuple[str, str, str, str]:
    return ("", "", "", "") if scope is None else (scope.org, scope.tenant, str(scope), scope.agent)


def _storable(text: str) -> str:
    """A text as SQLite takes it: a record may hold half of a surrogate pair, which is no UTF-8."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")
