"""Records for one reader: of that reader's tenants alone, bounded, and in threads."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Protocol, TypeVar

from aegis_authz.control.gate import Caller
from aegis_authz.control.policies.turns import Turns
from aegis_authz.core.person import Domain
from aegis_authz.core.record import ApprovalRecord, DecisionRecord, OutcomeRecord, RedactionRecord, UsageRecord
from aegis_authz.core.units import Seconds
from aegis_authz.evidence.log_report import LogReport
from aegis_authz.evidence.position import ChainPosition
from aegis_authz.evidence.search import IndexedRecord, RecordGap, RecordPage, RecordPlace, RecordSearch
from aegis_authz.evidence.timeline import Step, calls_of, timeline

MOST_OF_DECISION = 200
"""Records of one decision, or of one approval, that are looked at."""
_MOST_CALLS = 20
"""Calls that used one approval and whose outcomes are looked at."""
_PLACES = 2
_PATIENCE = Seconds(10.0)

_Answer = TypeVar("_Answer")


class RecordBrowsing(Protocol):
    """The record logs of a folder by their index. Every method blocks, and raises RecordsUnavailable."""

    def advance(self, most: int) -> tuple[int, list[IndexedRecord]]:
        """Index at most so many lines that came since the last time; how many came, and their records."""
        ...

    def rest(self, pause: Seconds, most: Seconds) -> None:
        """Return once the logs may be others than `advance` read to their ends: looked at every `pause` seconds, for
        `most` seconds at most.
        """
        ...

    def end_rest(self) -> None:
        """Have `rest` return at once, now and from now on; this alone does not block."""
        ...

    def gaps(self) -> tuple[RecordGap, ...]:
        """The segments that the index left out as it was last brought up to date."""
        ...

    def page(
        self, search: RecordSearch, domains: Collection[Domain], before: RecordPlace | None, count: int
    ) -> RecordPage:
        """At most `count` of the records that are sought, of these domains, newest first. Raises SearchTooLong, too."""
        ...

    def of_decision(self, decision_id: str, count: int) -> list[IndexedRecord]:
        """At most `count` records of a decision, oldest first."""
        ...

    def of_approval(self, approval_id: str, count: int) -> list[IndexedRecord]:
        """At most `count` decisions and steps of an approval, oldest first."""
        ...

    def position(self, record: IndexedRecord) -> ChainPosition:
        """Where a record stands in its chain."""
        ...

    def verify(self) -> list[LogReport]:
        """Verify every log."""
        ...


@dataclass(frozen=True, slots=True)
class DecisionTrail:
    """A decision, all records of it, oldest first, and where its own stands in its chain."""

    decision: DecisionRecord
    line: IndexedRecord
    records: tuple[IndexedRecord, ...]
    position: ChainPosition


class RecordDesk:
    """What readers see of the records. Every method raises RecordsUnavailable, and TurnMissed for whom others kept
    waiting too long: of each reader one thing is looked for at a time, of all of them two.
    """

    def __init__(self, browsing: RecordBrowsing, patience: Seconds = _PATIENCE) -> None:
        """`patience` is how long one waits for others."""
        self._browsing = browsing
        self._turns = Turns(patience, _PLACES)

    async def search(self, reader: Caller, search: RecordSearch, before: RecordPlace | None, count: int) -> RecordPage:
        """At most `count` of what is sought, newest first, from `before` on. Raises SearchTooLong."""
        return await self._in_turn(reader, lambda: self._browsing.page(search, reader.domains, before, count))

    async def decision(self, reader: Caller, decision_id: str) -> DecisionTrail | None:
        """All of a decision; None for one that is not there, or not the reader's to see."""
        return await self._in_turn(reader, lambda: self._decision(reader, decision_id))

    async def approval(self, reader: Caller, approval_id: str) -> list[Step]:
        """The trail of an approval, oldest step first; none of one that is not there, or not the reader's to see."""
        return await self._in_turn(reader, lambda: self._approval(reader, approval_id))

    async def _in_turn(self, reader: Caller, work: Callable[[], _Answer]) -> _Answer:
        return await self._turns.run(reader.id, lambda: asyncio.to_thread(work))

    def _decision(self, reader: Caller, decision_id: str) -> DecisionTrail | None:
        records = self._browsing.of_decision(decision_id, MOST_OF_DECISION)
        visible = [record for record in records if is_visible(reader, record)]
        line = next((record for record in visible if isinstance(record.stored.record, DecisionRecord)), None)
        if line is None or not isinstance(line.stored.record, DecisionRecord):
            return None
        effects = [record for record in records if isinstance(record.stored.record, _OF_A_CALL)]
        whole = sorted((*visible, *effects), key=lambda record: record.place.time)
        return DecisionTrail(line.stored.record, line, tuple(whole), self._browsing.position(line))

    def _approval(self, reader: Caller, approval_id: str) -> list[Step]:
        records = self._browsing.of_approval(approval_id, MOST_OF_DECISION)
        visible = [record for record in records if is_visible(reader, record)]
        calls = calls_of(approval_id, [record.stored for record in visible])[:_MOST_CALLS]
        effects = [
            record
            for decision_id in calls
            for record in self._browsing.of_decision(decision_id, MOST_OF_DECISION)
            if isinstance(record.stored.record, _OF_A_CALL)
        ]
        return timeline(approval_id, [record.stored for record in (*visible, *effects)])


_OF_A_CALL = (OutcomeRecord, RedactionRecord, UsageRecord)
"""What is of whoever the decision is of: it names the decision alone."""


def is_visible(reader: Caller, record: IndexedRecord) -> bool:
    """Whether a decision or a step of an approval is of a tenant that the reader sees; one of nobody is for those who
    see all.
    """
    match record.stored.record:
        case DecisionRecord() as decision:
            identity = decision.identity
            return reader.sees_all if identity is None else reader.may_for(identity.scope)
        case ApprovalRecord() as step:
            return reader.may_for(step.scope)
        case _:
            return False
