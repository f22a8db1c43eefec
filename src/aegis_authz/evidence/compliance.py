"""What records say of a tenant over a time: who asked, who decided, by which policies, and what was exceeded."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from aegis_authz.core.reason import Reason
from aegis_authz.core.record import ApprovalRecord, CutRecord, DecisionRecord, KeyRecord, OutcomeRecord, Record
from aegis_authz.core.scope import Scope
from aegis_authz.evidence.query import StoredRecord

Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """A table of a report; `remark` says what it is, or why it is empty. Each row has a cell for each column."""

    title: str
    remark: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


@dataclass(slots=True)
class _Trail:
    """What is on record of one approval."""

    held: DecisionRecord | None = None
    steps: list[ApprovalRecord] = field(default_factory=list)
    passed: DecisionRecord | None = None


@dataclass(slots=True)
class _Span:
    """From when to when something was, and how often."""

    first: float
    last: float
    calls: int = 0

    def extend(self, time: float) -> None:
        """Count a call at that time."""
        self.first, self.last, self.calls = min(self.first, time), max(self.last, time), self.calls + 1


@dataclass(slots=True)
class ComplianceBook:
    """Takes records, of all logs in any order, and adds up those of a tenant (`org/tenant`) from `since` on and before
    `until`, epoch seconds. Changes of keys and cut tails are of the mesh, and are noted whosever they are.
    """

    tenant: str
    since: float
    until: float
    records: int = 0
    unreadable: int = 0
    _effects: Counter[tuple[str, str]] = field(default_factory=Counter)
    _refusals: Counter[tuple[str, str, str, str]] = field(default_factory=Counter)
    _trails: dict[str, _Trail] = field(default_factory=dict)
    _revisions: dict[str, _Span] = field(default_factory=dict)
    _excesses: Counter[tuple[str, str, str, str, str]] = field(default_factory=Counter)
    _quarantines: list[Row] = field(default_factory=list)
    _events: list[tuple[float, Row]] = field(default_factory=list)
    _outcomes: dict[str, OutcomeRecord] = field(default_factory=dict)

    def take(self, batch: Iterable[StoredRecord]) -> None:
        """Add the records of a batch."""
        for stored in batch:
            record = stored.record
            if record is None:
                self.unreadable += 1
            elif self.since <= record.time < self.until:
                self._add(record, stored)

    def _add(self, record: Record, stored: StoredRecord) -> None:
        match record:
            case DecisionRecord() if record.identity is not None and self._is_of(record.identity.scope):
                self.records += 1
                self._add_decision(record, record.identity.scope)
            case ApprovalRecord() if self._is_of(record.scope):
                self.records += 1
                self._trail(record.approval_id).steps.append(record)
            case OutcomeRecord():
                self._outcomes[record.decision_id] = record
            case KeyRecord():
                place = f"{stored.file} line {stored.number}"
                self._events.append((record.time, (moment(record.time), f"sealed by key {record.key_id}", place)))
            case CutRecord():
                words = f"{record.size} unsealed bytes were cut off at a restart, kept in {record.kept_in}"
                self._events.append((record.time, (moment(record.time), words, f"{stored.file} line {stored.number}")))

    def _is_of(self, scope: Scope) -> bool:
        return scope.tenant_path == self.tenant

    def _trail(self, approval_id: str) -> _Trail:
        return self._trails.setdefault(approval_id, _Trail())

    def _add_decision(self, record: DecisionRecord, scope: Scope) -> None:
        self._effects[scope.agent, record.effect.value] += 1
        if record.revision:
            self._revisions.setdefault(record.revision, _Span(record.time, record.time)).extend(record.time)
        if record.approval_id:
            trail = self._trail(record.approval_id)
            if record.reason is Reason.APPROVED:
                trail.passed = record
            elif trail.held is None:
                trail.held = record
        if not record.effect.lets_through and record.reason is not Reason.APPROVAL_NEEDED:
            self._refusals[record.reason.value, scope.agent, record.tool or record.host, record.action] += 1
        for charge in record.charges:
            if charge.excess != "within":
                through = "refused"
                if record.effect.lets_through:
                    through = f"let through by {record.approved_by or charge.on_exceed}"
                self._excesses[charge.name, charge.policy, charge.holder, scope.agent, through] += 1
        if record.quarantined_until and record.reason is not Reason.QUARANTINED:
            until = moment(record.quarantined_until)
            self._quarantines.append((moment(record.time), scope.agent, until, record.decision_id))

    def sections(self) -> Iterator[Section]:
        """The tables of a report, in their order."""
        effects = sorted({effect for _, effect in self._effects})
        agents = sorted({agent for agent, _ in self._effects})
        rows = [(agent, *(str(self._effects[agent, effect]) for effect in effects)) for agent in agents]
        yield Section("Calls", "Decisions by agent.", ("agent", *effects), tuple(rows))
        yield Section("Calls held for a person", _HELD, _TRAIL, tuple(self._trail_rows()))
        yield Section("Refused calls", "", ("reason", "agent", "tool", "action", "calls"), _counted(self._refusals))
        columns = ("limit", "policy", "holder", "agent", "what became of it", "calls")
        yield Section("Limits exceeded", "", columns, _counted(self._excesses))
        yield Section("Quarantines", "", ("at", "agent", "until", "decision"), tuple(sorted(self._quarantines)))
        spans = sorted(self._revisions.items(), key=lambda entry: entry[1].first)
        yield Section(
            "Revisions in force",
            "By which policies calls were judged; aegis policy diff shows what two of them differ in.",
            ("revision", "first call", "last call", "calls"),
            tuple((name, moment(span.first), moment(span.last), str(span.calls)) for name, span in spans),
        )
        events = tuple(row for _, row in sorted(self._events))
        yield Section("Keys of records, and tails cut off", "Of all logs.", ("at", "what", "record"), events)

    def _trail_rows(self) -> Iterator[Row]:
        trails = self._trails.items()
        for approval_id, trail in sorted(trails, key=lambda entry: (_begin(entry[1]), entry[0])):
            held = trail.held
            step = trail.steps[0] if trail.steps else None
            scope = step.scope if step is not None else None
            if held is not None and held.identity is not None:
                scope = held.identity.scope
            call = held or step or trail.passed
            decided = "; ".join(_step_words(entry) for entry in sorted(trail.steps, key=lambda entry: entry.time))
            yield (
                moment(_begin(trail)),
                scope.agent if scope is not None else "",
                f"{call.tool} {call.action}".strip() if call is not None else "",
                decided or "nothing on record",
                self._use(trail.passed),
                approval_id,
            )

    def _use(self, passed: DecisionRecord | None) -> str:
        if passed is None:
            return "not used"
        outcome = self._outcomes.get(passed.decision_id)
        end = "" if outcome is None else f", status {outcome.status or 'none'}"
        return f"passed at {moment(passed.time)}{end}"


_HELD = "Who asked, who decided and why, and what came of it."
_TRAIL = ("at", "agent", "call", "decided", "use", "approval")


def moment(time: float) -> str:
    """A time of the epoch as people read it, in UTC."""
    return datetime.fromtimestamp(time, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _begin(trail: _Trail) -> float:
    if trail.held is not None:
        return trail.held.time
    if trail.steps:
        return trail.steps[0].requested_at
    return trail.passed.time if trail.passed is not None else 0.0


def _step_words(step: ApprovalRecord) -> str:
    by = f" by {step.by}" if step.by else ""
    note = f" ({step.note})" if step.note else ""
    return f"{step.step.value}{by} at {moment(step.time)}{note}"


def _counted(rows: Counter[tuple[str, str, str, str]] | Counter[tuple[str, str, str, str, str]]) -> tuple[Row, ...]:
    pairs: Sequence[tuple[Row, int]] = sorted(rows.items(), key=lambda entry: (-entry[1], entry[0]))
    return tuple((*row, str(count)) for row, count in pairs)
