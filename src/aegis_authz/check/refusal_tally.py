"""Refusals that come by the thousand: the first of each second are recorded in full, the others are counted.

Only refusals that nobody who was authenticated needs as evidence are counted: of calls whose sender is not known, or
for which there was no room. Whatever was judged leaves a record of its own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from aegis_authz.core.decision import Decision
from aegis_authz.core.effect import Effect
from aegis_authz.core.nobody import OF_NOBODY
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import RefusalsRecord
from aegis_authz.core.units import Epoch
from aegis_authz.core.unrecorded_refusal import UnrecordedRefusal

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


def may_count(decision: Decision, is_known: bool) -> bool:
    """Whether a decision may be counted, which nothing was settled for. `is_known`: its agent is."""
    if decision.reason is Reason.OVERLOADED:
        return True
    if is_known or decision.reason not in COUNTED:
        return False
    return decision.effect is Effect.DENY or decision.reason is Reason.TUNNEL_OPENED


class RefusalTally:
    """Counts what is not recorded in full. What it holds is bounded by the number of reasons."""

    def __init__(self) -> None:
        self._second = 0
        self._full: dict[tuple[Reason, str], int] = {}
        self._full_of_reason: dict[Reason, int] = {}
        self._counts: dict[Reason, _Count] = {}
        self._waiting = 0

    def is_full(self, reason: Reason, source: str, time: Epoch) -> bool:
        """Whether as many were recorded in full by now as may be: one more is to be counted."""
        if int(time) != self._second:
            self._second = int(time)
            self._full.clear()
            self._full_of_reason.clear()
        return (
            self._waiting >= MOST_WAITING
            or self._full_of_reason.get(reason, 0) >= FULL_OF_A_REASON
            or self._full.get((reason, source), 0) >= FULL_OF_A_SOURCE
        )

    @contextmanager
    def recording(self, reason: Reason, source: str) -> Iterator[None]:
        """For as long as one that might have been counted is recorded in full: it is one of those, and waits."""
        key = (reason, source)
        self._full[key] = self._full.get(key, 0) + 1
        self._full_of_reason[reason] = self._full_of_reason.get(reason, 0) + 1
        self._waiting += 1
        try:
            yield
        finally:
            self._waiting -= 1

    def count(self, refusal: UnrecordedRefusal) -> None:
        """Count one that is not recorded."""
        count = self._counts.get(refusal.reason)
        if count is None:
            count = self._counts[refusal.reason] = _Count(refusal.time, refusal.time)
        count.count += 1
        if refusal.time > count.last_time:
            count.last_time = refusal.time
        elif refusal.time < count.first_time:
            count.first_time = refusal.time
        if len(count.decision_ids) < FIRST_IDS:
            count.decision_ids.append(refusal.decision_id)
        if len(count.sources) < FIRST_IDS:
            count.sources[refusal.source] = None

    def add(self, more: RefusalsRecord) -> None:
        """Add a count that could not be recorded to that of its reason; what it names comes first."""
        count = self._counts.get(more.reason)
        if count is None:
            count = self._counts[more.reason] = _Count(more.first_time, more.last_time)
        count.count += more.count
        count.first_time, count.last_time = min(count.first_time, more.first_time), max(count.last_time, more.last_time)
        count.decision_ids = [*more.decision_ids, *count.decision_ids][:FIRST_IDS]
        count.sources = dict.fromkeys(list({**dict.fromkeys(more.sources), **count.sources})[:FIRST_IDS])

    def take(self, now: Epoch) -> list[RefusalsRecord]:
        """The counts since they were taken last, one record a reason."""
        records = [
            RefusalsRecord(
                now,
                reason,
                count.count,
                count.first_time,
                count.last_time,
                tuple(count.decision_ids),
                tuple(count.sources),
            )
            for reason, count in self._counts.items()
        ]
        self._counts.clear()
        return records


@dataclass(slots=True)
class _Count:
    """What a `RefusalsRecord` will say. `sources` is a set in order."""

    first_time: float
    last_time: float
    count: int = 0
    decision_ids: list[str] = field(default_factory=list)
    sources: dict[str, None] = field(default_factory=dict)
