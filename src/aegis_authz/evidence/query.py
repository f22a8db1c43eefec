"""Records sought in the lines of logs, from either end, without verifying: `verify` does that."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from aegis_authz.core.effect import Effect
from aegis_authz.core.record import CutRecord, DecisionRecord, Record, RefusalsRecord
from aegis_authz.evidence.chain import NotARecord, read_record
from aegis_authz.evidence.document import RecordInvalid
from aegis_authz.evidence.verify import LogLine


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A line of a log, its place, and the record it holds: None where it cannot be read, and `fault` says why."""

    file: str
    number: int
    record: Record | None
    fault: str


@dataclass(frozen=True, slots=True)
class RecordFilter:
    """Which records are wanted: of one decision, of an agent (its name or org/tenant/agent), of an effect;
    "" and None are any.
    """

    decision_id: str = ""
    agent: str = ""
    effect: Effect | None = None

    def accepts(self, record: Record) -> bool:
        """Whether the record is wanted."""
        if isinstance(record, CutRecord):
            return self == _ANY
        if isinstance(record, RefusalsRecord):
            is_named = not self.decision_id or self.decision_id in record.decision_ids
            return is_named and not self.agent and self.effect in (None, Effect.DENY)
        if self.decision_id and record.decision_id != self.decision_id:
            return False
        if not self.agent and self.effect is None:
            return True
        if not isinstance(record, DecisionRecord) or (self.effect is not None and record.effect is not self.effect):
            return False
        identity = record.identity
        return not self.agent or (identity is not None and self.agent in (identity.scope.agent, str(identity.scope)))


_ANY = RecordFilter()


def matching(lines: Iterable[LogLine], criteria: RecordFilter) -> Iterator[StoredRecord]:
    """The wanted records of a log, in the order of its lines; what cannot be read is passed over."""
    needle = criteria.decision_id.encode("utf-8", "surrogatepass")
    for line in lines:
        if needle in line.raw:  # to look for it costs far less than to read every line
            stored = _stored(line)
            if stored.record is not None and criteria.accepts(stored.record):
                yield stored


def last_records(logs: Iterable[Iterable[LogLine]], count: int, criteria: RecordFilter) -> list[StoredRecord]:
    """The last `count` wanted records of all logs, oldest first. Each log comes newest line first.

    Lines that cannot be read are among them whatever is wanted.
    """
    records: list[StoredRecord] = []
    for lines in logs:
        newest = (stored for stored in map(_stored, lines) if stored.record is None or criteria.accepts(stored.record))
        records.extend(reversed(list(islice(newest, count))))
    return sorted(records, key=_time)[-count:]


def _stored(line: LogLine) -> StoredRecord:
    try:
        return StoredRecord(line.file, line.number, read_record(line.raw), "")
    except (NotARecord, RecordInvalid) as fault:
        return StoredRecord(line.file, line.number, None, str(fault))


def _time(stored: StoredRecord) -> float:
    return stored.record.time if stored.record is not None else float("inf")
