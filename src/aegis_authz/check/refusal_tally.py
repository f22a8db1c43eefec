"""Refusals that come by the thousand: the first of each second are recorded in full, the others are counted.

Only refusals that nobody who was authenticated needs as evidence are counted: of calls whose sender is not known, or
for which there was no room. Whatever was judged leaves a record of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from aegis_authz.core.effect import Effect
from aegis_authz.core.nobody import OF_NOBODY
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import DecisionRecord, RefusalsRecord
from aegis_authz.core.units import Epoch

COUNTED = OF_NOBODY | {Reason.TUNNEL_OPENED}
"""The reasons of refusals that may be counted."""
FULL_OF_A_SOURCE = 10
"""Refusals of one reason and source that are recorded in full within a second."""
FULL_OF_A_REASON = 100
"""Refusals of one reason that are recorded in full within a second, whatever their sources."""
MOST_WAITING = 8
"""Refusals that may wait for the disk together; while so many do, all others are counted: who has no token must not
fill what may be under way."""
FIRST_IDS = 8
"""Decision ids and sources that a count names."""


class RefusalTally:
    """Counts what is not recorded in full. What it holds is bounded by the number of reasons."""

    def __init__(self) -> None:
        self._second = 0
        self._full: dict[tuple[Reason, str], int] = {}
        self._full_of_reason: dict[Reason, int] = {}
        self._counts: dict[Reason, RefusalsRecord] = {}
        self._waiting = 0

    def counts(self, record: DecisionRecord) -> bool:
        """Whether this refusal is counted now, and so needs no record of its own."""
        if not _may_count(record):
            return False
        if int(record.time) != self._second:
            self._second = int(record.time)
            self._full.clear()
            self._full_of_reason.clear()
        key = (record.reason, record.source)
        own, all_ = self._full.get(key, 0), self._full_of_reason.get(record.reason, 0)
        if own < FULL_OF_A_SOURCE and all_ < FULL_OF_A_REASON and self._waiting < MOST_WAITING:
            self._full[key], self._full_of_reason[record.reason] = own + 1, all_ + 1
            return False
        self.add(RefusalsRecord.of(record))
        return True

    @contextmanager
    def waiting(self, record: DecisionRecord) -> Iterator[None]:
        """For as long as a record is being written: counted where it is one of those that could be counted instead."""
        mine = int(_may_count(record))
        self._waiting += mine
        try:
            yield
        finally:
            self._waiting -= mine

    def add(self, more: RefusalsRecord) -> None:
        """Add a count to that of its reason."""
        before = self._counts.get(more.reason)
        self._counts[more.reason] = more if before is None else _together(before, more)

    def take(self, now: Epoch) -> list[RefusalsRecord]:
        """The counts since they were taken last, one record a reason."""
        records = [replace(count, time=now) for count in self._counts.values()]
        self._counts.clear()
        return records


def _may_count(record: DecisionRecord) -> bool:
    if record.reason is Reason.TUNNEL_OPENED:
        return record.identity is None
    return record.effect is Effect.DENY and record.reason in COUNTED


def _together(earlier: RefusalsRecord, later: RefusalsRecord) -> RefusalsRecord:
    ids, sources = earlier.decision_ids, earlier.sources
    if len(ids) < FIRST_IDS:
        ids = (*ids, *later.decision_ids)[:FIRST_IDS]
    if len(sources) < FIRST_IDS:
        sources = tuple(dict.fromkeys((*sources, *later.sources)))[:FIRST_IDS]
    return replace(
        earlier,
        count=earlier.count + later.count,
        first_time=min(earlier.first_time, later.first_time),
        last_time=max(earlier.last_time, later.last_time),
        decision_ids=ids,
        sources=sources,
    )
