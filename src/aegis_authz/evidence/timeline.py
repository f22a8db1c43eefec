"""The trail of one approval: who asked for what, who decided, what used it, and what became of that."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aegis_authz.core.effect import Effect
from aegis_authz.core.record import ApprovalRecord, DecisionRecord, OutcomeRecord, Record, RedactionRecord, UsageRecord
from aegis_authz.evidence.query import StoredRecord


@dataclass(frozen=True, slots=True)
class Step:
    """One step of a trail and the record that holds it: `at` is epoch seconds, `after` those since the first step."""

    at: float
    after: float
    sentence: str
    stored: StoredRecord


def timeline(approval_id: str, records: Iterable[StoredRecord]) -> list[Step]:
    """The steps of an approval among all `records` of it and of the calls that used it, oldest first."""
    known = [(stored.record, stored) for stored in records if stored.record is not None]
    steps = sorted(known, key=lambda pair: _moment(pair[0]))
    if not steps:
        return []
    first = _moment(steps[0][0])
    return [
        Step(_moment(record), _moment(record) - first, _sentence(approval_id, record), stored)
        for record, stored in steps
    ]


def calls_of(approval_id: str, records: Sequence[StoredRecord]) -> list[str]:
    """The ids of the decisions that let a call through on this approval: what became of those belongs to its trail."""
    return [
        stored.record.decision_id
        for stored in records
        if isinstance(stored.record, DecisionRecord)
        and stored.record.approval_id == approval_id
        and stored.record.effect.lets_through
    ]


def _moment(record: Record) -> float:
    # a decision is told by its arrival, and stands in the log by its end: an answer never comes before its question
    return record.time + record.total_ms / 1000 if isinstance(record, DecisionRecord) else record.time


def _sentence(approval_id: str, record: Record) -> str:
    match record:
        case DecisionRecord():
            return _of_decision(record)
        case ApprovalRecord():
            by = f" by {record.by}" if record.by else ""
            note = f": {record.note}" if record.note else ""
            return f"{record.step.value}{by}{note}"
        case OutcomeRecord():
            reached = "reached the tool" if record.was_reached else "did not reach the tool"
            return f"the call was over: status {record.status or 'none'}, it {reached}"
        case RedactionRecord():
            return f"the {record.target} was redacted: {record.outcome}"
        case UsageRecord():
            return "what the call took of a model was read"
        case _:
            return f"a record that names {approval_id}"


def _of_decision(record: DecisionRecord) -> str:
    who = str(record.identity.scope) if record.identity is not None else "an agent that is not known"
    call = f"{record.tool} {record.action}".strip()
    if record.effect is Effect.APPROVAL_NEEDED:
        return f"{who} asked for {call}, which was held ({record.reason.value})"
    if record.effect.lets_through:
        by = f", approved by {record.approved_by}" if record.approved_by else ""
        return f"{who} called {call}: {record.effect.value}{by}"
    return f"{who} called {call}: {record.effect.value} ({record.reason.value})"
