"""Access logs held against the records while the control plane runs: the first call that went by is an alert."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from aegis_authz.core.record import DecisionRecord, OutcomeRecord
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.evidence.reconciliation import (
    Gap,
    ProxyEntry,
    RecordedCalls,
    RecordedDecision,
    recorded_decision,
)
from aegis_authz.evidence.running_reconciliation import Patience, RunningReconciliation
from aegis_authz.evidence.search import IndexedRecord, RecordsUnavailable
from aegis_authz.ports.data_plane import Clock
from aegis_authz.telemetry.standing_trouble import StandingTrouble

_log = logging.getLogger(__name__)
PATIENCE = Patience(outcome=Seconds(60.0), call=Seconds(900.0))
_MOST = 200_000
"""Decisions, and calls that wait, that are remembered: some 100 MB at worst, 15 minutes of 220 calls a second."""
_BATCH = 500
"""Lines that are read at once. After as many, the thread rests for as long as that took: half a core at most."""
_PAUSE = Seconds(5.0)
_SAVED_EVERY = Seconds(30.0)
_SHOWN = 50
"""Gaps that are kept to be shown."""
_SAID = 5
"""Gaps of one look that the log names one by one."""

_Answer = TypeVar("_Answer")


class CallLogs(Protocol):
    """Access logs and records as they grow. Every method blocks and raises OSError."""

    def open(self) -> None:
        """Find where to go on. Raises RecordsUnavailable, too."""
        ...

    def entries(self, most: int) -> list[ProxyEntry | Gap]:
        """At most so many requests that were not read yet, of each access log."""
        ...

    def records(self, most: int) -> tuple[RecordedCalls, int]:
        """What came to the records, of at most so many lines, and of how many."""
        ...

    def mark(self) -> bytes:
        """Where everything was read to."""
        ...

    def save(self, mark: bytes) -> None:
        """Go on there after a restart."""
        ...

    def close(self) -> None:
        """Close the files."""
        ...


class PastDecisions(Protocol):
    """Decisions by their ids. Blocks; raises RecordsUnavailable."""

    def of_decision(self, decision_id: str, count: int) -> list[IndexedRecord]:
        """At most `count` records of a decision, oldest first."""
        ...


@dataclass(frozen=True, slots=True)
class ReconciliationState:
    """What was joined since this control plane began at `since`, and the last gaps, newest first.

    `looked_at` is None before the first look; `unjudged` calls were too many to remember; `trouble` says what hinders
    a look now, "" for nothing.
    """

    since: Epoch
    looked_at: Epoch | None
    calls: int
    decisions: int
    outcomes: int
    unjudged: int
    by_kind: Mapping[str, int]
    gaps: tuple[Gap, ...]
    trouble: str


class Reconciler:
    """Looks every few seconds; what it finds is in the log at once, in `/metrics`, and in `state`."""

    def __init__(
        self, logs: CallLogs, past: PastDecisions, is_level: Callable[[], bool], clock: Clock, pause: Seconds = _PAUSE
    ) -> None:
        """`is_level` says whether the index behind `past` holds all that was recorded a moment ago."""
        self._logs = logs
        self._past = past
        self._is_level = is_level
        self._clock = clock
        self._pause = pause
        self._running = RunningReconciliation(PATIENCE, _MOST)
        self._waiting: list[ProxyEntry | Gap] = []
        self._marks: deque[tuple[Epoch, bytes]] = deque()
        self._by_kind: Counter[str] = Counter()
        self._gaps: deque[Gap] = deque(maxlen=_SHOWN)
        self._since = clock.now()
        self._saved_at = Epoch(0.0)
        self._looked_at: Epoch | None = None
        self._is_open = False
        self._count_in_log = 0
        self._trouble = StandingTrouble(_log, logging.ERROR)

    @property
    def state(self) -> ReconciliationState:
        """How it stands."""
        running = self._running
        return ReconciliationState(
            since=self._since,
            looked_at=self._looked_at,
            calls=running.calls,
            decisions=running.decisions,
            outcomes=running.outcomes,
            unjudged=running.unjudged,
            by_kind=dict(self._by_kind),
            gaps=tuple(reversed(self._gaps)),
            trouble=self._trouble.text,
        )

    async def watch(self) -> None:
        """Look until cancelled."""
        try:
            while True:
                await self.look()
                await asyncio.sleep(self._pause)
        finally:
            self._logs.close()

    async def look(self) -> None:
        """Judge what came since the last look; what hinders it is in the log once, and nothing is passed over."""
        try:
            await self._look()
        except (OSError, RecordsUnavailable) as fault:
            self._trouble.begin(f"calls are not held against the records: {fault}")

    async def _look(self) -> None:
        self._count_in_log = 0
        if not self._is_open:
            await asyncio.to_thread(self._logs.open)
            self._marks.append((self._clock.now(), self._logs.mark()))
            self._is_open = True
        while True:
            # requests first: what was recorded before a request was logged is then among the records that are read next
            if not self._waiting:
                self._waiting = await self._resting(lambda: self._logs.entries(_BATCH))
            count = len(self._waiting)
            await self._take_records()
            if not await self._judge():
                return
            if count < _BATCH:
                break
        now = self._clock.now()
        self._tell(self._running.overdue(now))
        self._trouble.end()
        self._looked_at = now
        await self._save(now)

    async def _take_records(self) -> None:
        lines = _BATCH
        while lines == _BATCH:
            recorded, lines = await self._resting(lambda: self._logs.records(_BATCH))
            self._tell(self._running.add_records(recorded))

    async def _judge(self) -> bool:
        """Judge the requests that were read; False while one waits for the index of what was recorded long ago."""
        while self._waiting:
            entry = self._waiting[0]
            if isinstance(entry, Gap):
                self._tell([entry])
            else:
                decision, is_settled = self._running.decision(entry.decision_id), False
                if decision is None and entry.decision_id:
                    if not self._is_level():
                        return False
                    decision, is_settled = await asyncio.to_thread(self._of_past, entry.decision_id)
                self._tell(self._running.add_entry(entry, decision, self._clock.now(), is_settled=is_settled))
            self._waiting.pop(0)
        return True

    def _of_past(self, decision_id: str) -> tuple[RecordedDecision | None, bool]:
        """A decision that is not remembered, and whether what became of its call is recorded, too.

        Envoy keeps lines of its access log for seconds: an outcome may be before, and its request behind, the place
        where reading began.
        """
        decision, is_settled = None, False
        for stored in (indexed.stored for indexed in self._past.of_decision(decision_id, 10)):
            is_settled |= isinstance(stored.record, OutcomeRecord)
            if decision is None and isinstance(stored.record, DecisionRecord):
                decision = recorded_decision(stored.record, stored.file, stored.number)
        return decision, is_settled

    async def _save(self, now: Epoch) -> None:
        """Keep a place behind which nothing waits: after a restart some calls are judged twice, and none never."""
        self._marks.append((now, self._logs.mark()))
        while len(self._marks) > 1 and self._marks[1][0] <= now - PATIENCE.call:
            self._marks.popleft()
        if now - self._saved_at >= _SAVED_EVERY:
            await asyncio.to_thread(self._logs.save, self._marks[0][1])
            self._saved_at = now

    async def _resting(self, work: Callable[[], _Answer]) -> _Answer:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        answer = await asyncio.to_thread(work)
        await asyncio.sleep(loop.time() - begin)
        return answer

    def _tell(self, gaps: Iterable[Gap]) -> None:
        for gap in gaps:
            self._by_kind[gap.kind.value] += 1
            self._gaps.append(gap)
            self._count_in_log += 1
            if self._count_in_log <= _SAID:
                decision = f" (decision {gap.decision_id})" if gap.decision_id else ""
                _log.error("GAP %s%s in %s line %s: %s", gap.kind.value, decision, gap.file, gap.line, gap.reason)
            elif self._count_in_log == _SAID + 1:
                _log.error("more GAPS at once: aegis audit reconcile names all of them")
