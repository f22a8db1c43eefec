"""Records sought in the lines of logs, from either end, without verifying: `verify` does that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice, takewhile

from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import (
    ApprovalRecord,
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
from aegis_authz.evidence.chain import NotARecord, read_record
from aegis_authz.evidence.document import RecordInvalid
from aegis_authz.evidence.log_report import LogLine

_LONGEST_CALL = 3600.0


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A line of a log, its place, and the record it holds: None where it cannot be read, and `fault` says why."""

    file: str
    number: int
    record: Record | None
    fault: str


@dataclass(frozen=True, slots=True)
class IndexQuery:
    """Which records are sought; "" is any. `agent` is a name or org/tenant/agent; the times, from `since` on and before
    `until`, are epoch seconds.
    """

    agent: str
    tool: str
    effect: str
    approval_id: str
    since: float
    until: float


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """Which records are wanted: of one decision or one approval, of an agent (its name or org/tenant/agent), of an
    effect, a reason, a tool, from a moment on (epoch seconds), and those that brought a limit to `mark` percent of it,
    80 or 100, or beyond; "", None and 0 are any.
    """

    decision_id: str = ""
    agent: str = ""
    effect: Effect | None = None
    reason: Reason | None = None
    tool: str = ""
    since: float = 0.0
    mark: int = 0

    def accepts(self, record: Record) -> bool:
        """Whether the record is wanted."""
        if record.time < self.since:
            return False
        match record:
            case CutRecord() | KeyRecord() | SealRecord():
                return not self.decision_id and self._is_of_any_call
            case RefusalsRecord():
                is_named = not self.decision_id or self.decision_id in record.decision_ids
                is_refused = self.effect in (None, Effect.DENY) and self.reason in (None, record.reason)
                return is_named and is_refused and not self.agent and not self.tool and not self.mark
            case DecisionRecord():
                return self.decision_id in ("", record.decision_id, record.approval_id) and self._is_about(record)
            case ApprovalRecord():
                is_named = self.decision_id in ("", record.decision_id, record.approval_id)
                is_of_agent = self.agent in ("", record.scope.agent, str(record.scope))
                is_any = self.effect is None and self.reason is None and not self.mark
                return is_named and is_of_agent and is_any and self.tool in ("", record.tool)
            case RedactionRecord() | OutcomeRecord() | UsageRecord():
                return self.decision_id in ("", record.decision_id) and self._is_of_any_call

    @property
    def _is_of_any_call(self) -> bool:
        is_any = not self.agent and not self.tool and not self.mark
        return is_any and self.effect is None and self.reason is None

    def _is_about(self, record: DecisionRecord) -> bool:
        scope = None if record.identity is None else record.identity.scope
        return (
            self.effect in (None, record.effect)
            and self.reason in (None, record.reason)
            and self.tool in ("", record.tool)
            and (not self.mark or _highest_mark(record) >= self.mark)
            and (not self.agent or (scope is not None and self.agent in (scope.agent, str(scope))))
        )


def _highest_mark(record: DecisionRecord) -> int:
    """The highest mark to which a call brought a limit; one that did not pass used nothing."""
    return max((charge.mark for charge in record.charges), default=0) if record.effect.lets_through else 0


def whole_records(lines: Iterable[LogLine]) -> Iterator[StoredRecord]:
    """Every record of a log, in the order of its lines, those that cannot be read among them; but for a last line that
    is being written at this moment.
    """
    return (_stored(line) for line in lines if line.raw.endswith(b"\n"))


def matching(lines: Iterable[LogLine], criteria: RecordFilter) -> Iterator[StoredRecord]:
    """The wanted records of a log, in the order of its lines; what cannot be read is passed over."""
    needle = criteria.decision_id.encode("utf-8", "surrogatepass")
    for line in lines:
        if needle in line.raw:  # to look for it costs far less than to read every line
            stored = _stored(line)
            if stored.record is not None and criteria.accepts(stored.record):
                yield stored


def new_records(lines: Iterable[LogLine], criteria: RecordFilter) -> list[StoredRecord]:
    """The wanted records of lines from any logs, oldest first; lines that cannot be read are among them."""
    matches = (stored for stored in map(_stored, lines) if stored.record is None or criteria.accepts(stored.record))
    return sorted(matches, key=_time)


def last_records(logs: Iterable[Iterable[LogLine]], count: int, criteria: RecordFilter) -> list[StoredRecord]:
    """The last `count` wanted records of all logs, oldest first. Each log comes newest line first.

    Lines that cannot be read are among them whatever is wanted. A log is read no further than an hour before
    `criteria.since`: calls are recorded in the order in which they end.
    """
    records: list[StoredRecord] = []
    for lines in logs:
        recent = takewhile(partial(_is_recent, criteria.since - _LONGEST_CALL), map(_stored, lines))
        newest = (stored for stored in recent if stored.record is None or criteria.accepts(stored.record))
        records.extend(reversed(list(islice(newest, count))))
    return sorted(records, key=_time)[-count:] if count else []


def _is_recent(since: float, stored: StoredRecord) -> bool:
    return stored.record is None or stored.record.time >= since


def _stored(line: LogLine) -> StoredRecord:
    try:
        return StoredRecord(line.file, line.number, read_record(line.raw), "")
    except (NotARecord, RecordInvalid) as fault:
        return StoredRecord(line.file, line.number, None, str(fault))


def _time(stored: StoredRecord) -> float:
    return stored.record.time if stored.record is not None else float("inf")
