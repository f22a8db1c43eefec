"""Refusals of which documents want people to learn: found among the records, gathered, and left to the courier.

Nothing here is on the way of a call: a decision is recorded and answered before anybody looks for it here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import Protocol

from aegis_authz.core.alert import AlertPlan, AlertRules, Sighting
from aegis_authz.core.record import DecisionRecord
from aegis_authz.core.release import ReleasesFault, RevisionUnknown
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.evidence.search import RecordsUnavailable
from aegis_authz.policy.source.problems import PolicyErrors
from aegis_authz.ports.commits import LONGEST, Commits
from aegis_authz.ports.data_plane import Clock, StoreDown
from aegis_authz.ports.notices import Alerts
from aegis_authz.telemetry.standing_trouble import StandingTrouble

_log = logging.getLogger(__name__)
_EVERY = Seconds(1.0)
"""Seconds between two looks at logs that are read to their ends."""
_AFTER_FAULT = Seconds(5.0)
_BATCH = 500
"""Lines that are read at once. After as many, the thread rests for as long as that took."""
_BACK = 10.0
"""Seconds before somebody first wants to learn of refusals, from which on they count: who publishes and tries at once
is not disappointed.
"""
_NO_RECORDS = (
    "notify tells nobody yet: no authorizer has written records into the folder `records` of the control plane's "
    "settings, where it looks for refusals"
)
_UNUSABLE = (RecordsUnavailable, StoreDown, ReleasesFault, RevisionUnknown, PolicyErrors)


class Refusals(Protocol):
    """The refusals among records, as they are written. Every method blocks, and raises RecordsUnavailable."""

    def read(self, most: int, since: Epoch) -> tuple[int, list[DecisionRecord]]:
        """At most so many lines behind those that were kept: how many there were, and the refusals among them.

        Where nothing was ever kept, those from `since` on.
        """
        ...

    def keep(self) -> None:
        """What was read last was taken care of."""
        ...

    def forget(self) -> None:
        """Nobody wants to learn of any now."""
        ...

    def writers(self) -> Sequence[str]:
        """Whose decisions are recorded here."""
        ...


class Alerter:
    """Follows records by the rules of the documents that are served; `has_channel` says whether there is
    one of that kind.

    `rules` blocks, and raises ReleasesFault and PolicyErrors.
    """

    def __init__(
        self,
        refusals: Refusals,
        rules: Callable[[], AlertRules],
        alerts: Alerts,
        has_channel: Callable[[str], bool],
        clock: Clock,
    ) -> None:
        self._refusals = refusals
        self._rules = rules
        self._alerts = alerts
        self._has_channel = has_channel
        self._clock = clock
        self._trouble = StandingTrouble(_log, logging.ERROR)
        self._lost: set[str] = set()

    async def watch(self, commits: Commits) -> None:
        """Look until cancelled."""
        while True:
            number = commits.number
            pause = await self.look()
            await commits.after(number, pause)

    async def look(self) -> Seconds:
        """Look once; after how many seconds to look again unless something is committed. What hinders it is in the log
        once.
        """
        loop = asyncio.get_running_loop()
        begin = loop.time()
        try:
            rules = await asyncio.to_thread(self._rules)
            count = await self._follow(rules)
        except _UNUSABLE as fault:
            self._trouble.begin(f"refusals are not told: {fault}")
            return _AFTER_FAULT
        self._trouble.end()
        if not rules.shapes:
            return LONGEST  # until somebody wants to be told, which is published
        return Seconds(loop.time() - begin) if count == _BATCH else _EVERY

    async def cautions(self) -> tuple[str, ...]:
        """What whoever publishes should know: that refusals are to be told, and nobody's are recorded here."""
        try:
            rules = await asyncio.to_thread(self._rules)
        except (ReleasesFault, RevisionUnknown, PolicyErrors):
            return ()
        writers = await asyncio.to_thread(self._refusals.writers) if rules.shapes else ()
        return (_NO_RECORDS,) if rules.shapes and not writers else ()

    async def _follow(self, rules: AlertRules) -> int:
        if not rules.shapes:
            await asyncio.to_thread(self._refusals.forget)
            return 0
        now = self._clock.now()
        count, records = await asyncio.to_thread(self._refusals.read, _BATCH, Epoch(now - _BACK))
        if sightings := [*self._sightings(rules, records)]:
            await self._alerts.gather(sightings, now)
        if count:
            await asyncio.to_thread(self._refusals.keep)
        return count

    def _sightings(self, rules: AlertRules, records: Collection[DecisionRecord]) -> Iterator[Sighting]:
        for record in records:
            if record.identity is None:
                continue
            scope = record.identity.scope
            plan = rules.of(scope, record.reason)
            places = () if plan is None else tuple(filter(self._is_there, plan.places))
            if plan is not None and places:
                own = AlertPlan(places, plan.within)
                time = Epoch(record.time)
                yield Sighting(scope, record.reason, destination_of(record), time, record.decision_id, own)

    def _is_there(self, place: str) -> bool:
        if self._has_channel(place.partition(":")[0]):
            return True
        if place not in self._lost:
            _log.error("nobody is told at %s: the settings have no such channel any more", place)
            self._lost.add(place)
        return False


def destination_of(record: DecisionRecord) -> str:
    """Where the call went: the tool, or the host and port that its agent named, and nothing else that it sent."""
    if record.tool:
        return record.tool
    return record.host if record.port is None else f"{record.host}:{record.port}"
