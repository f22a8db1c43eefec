"""What a record is sought by in the index of records."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from aegis_authz.core.record import (
    ApprovalRecord,
    DecisionRecord,
    OutcomeRecord,
    Record,
    RedactionRecord,
    UsageRecord,
)
from aegis_authz.core.scope import Scope
from aegis_authz.evidence.search import RecordPlace, RecordSearch

LISTED: Final = "kind IN ('decision', 'approval')"
"""What lists are of, and most indices, where it stands word for word; the rest is sought by its decision alone."""
OF_APPROVAL: Final = "approval_id <> '' AND approval_id = ?"


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


def conditions_of(search: RecordSearch, before: RecordPlace | None) -> tuple[str, list[object]]:
    """What a record must be to be on the page, but for its tenant, and the values of that."""
    # SQLite finds an index of decisions and approvals by that very condition; approvals, which are few, have their own
    kind = "kind = 'approval'" if search.kind == "approval" else LISTED
    conditions: list[tuple[str, Sequence[object]]] = [
        (f"{kind} AND time >= ? AND time < ?", (search.since, search.until))
    ]
    if before is not None:
        after = (before.time, before.writer, before.file, before.line)
        conditions.append(("time <= ? AND (time, writer, file, line) < (?, ?, ?, ?)", (before.time, *after)))
    columns = {
        "kind = ?": search.kind,
        "scope = ?" if "/" in search.agent else "agent = ?": search.agent,
        "tool = ?": search.tool,
        "effect = ?": search.effect,
        "reason = ?": search.reason,
        OF_APPROVAL: search.approval_id,
    }
    conditions += [(clause, (value,)) for clause, value in columns.items() if value]
    return " AND ".join(clause for clause, _ in conditions), [value for _, values in conditions for value in values]


def order_of(row: tuple[object, ...]) -> tuple[object, ...]:
    """What rows are in order by: the time, and where the line stands."""
    writer, file, line, _, _, at, *_ = row
    return at, writer, file, line
