"""Requests that are kept open while a person decides: how many there may be, and how each of them ends."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from aegis_authz.check.hold import Hold
from aegis_authz.core.approval import ApprovalState
from aegis_authz.core.person import Domain
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import ApprovalId, Monotonic, Seconds
from aegis_authz.ports.data_plane import ApprovalStates, Clock, HoldPlace, HoldTelemetry, StoreDown

_log = logging.getLogger(__name__)
_EVERY = 0.2
"""Seconds between two looks at how the approvals stand: so long a person's word takes to reach the request."""
_PATIENCE = 1.0


class HoldEnd(Enum):
    """How the wait of a request ended.

    SETTLED: its approval is no longer pending, and the call is judged again. DENIED and WITHDRAWN: a person said no, or
    took the approval back. Of the others nobody has decided, and the request has the answer of every held call.
    """

    SETTLED = "settled"
    DENIED = "denied"
    WITHDRAWN = "withdrawn"
    UNDECIDED = "undecided"
    LEFT = "left"
    DRAINED = "drained"
    STORE_AWAY = "store_away"
    CROWDED = "crowded"


_ENDS: Mapping[ApprovalState | None, HoldEnd] = {
    ApprovalState.DENIED: HoldEnd.DENIED,
    ApprovalState.CANCELLED: HoldEnd.WITHDRAWN,
}
"""What a state that is no longer PENDING means; every other is for the store to tell when the call is judged again."""


@dataclass(frozen=True, slots=True)
class HoldBounds:
    """The most requests that one authorizer keeps open, the most of them of one tenant and of one agent, and for how
    long at most.
    """

    total: int
    of_tenant: int
    of_agent: int
    longest: Seconds


class _Place:
    """Room that is taken before it is known whether the request is held at all."""

    def __init__(self, holders: Sequence[Scope | Domain], holds: Holds) -> None:
        self.holders = holders
        self._holds = holds

    def free(self) -> None:
        """Give it back."""
        self._holds.vacate(self)


class Holds:
    """Keeps requests open. How their approvals stand is asked of the store beside the path of decisions."""

    def __init__(self, states: ApprovalStates, bounds: HoldBounds, telemetry: HoldTelemetry, clock: Clock) -> None:
        self._states = states
        self._bounds = bounds
        self._telemetry = telemetry
        self._clock = clock
        self._waits: dict[asyncio.Future[HoldEnd], ApprovalId] = {}
        self._places: set[_Place] = set()
        self._of_holders: Counter[Scope | Domain] = Counter()
        self._draining = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None

    def take(self, agent: Scope) -> HoldPlace | None:
        """Room for one more request of the agent, as `ports.HoldPlaces` says."""
        if self._draining.is_set():
            return None
        if self._is_crowded(agent):
            self._telemetry.hold_refused()
            return None
        place = _Place((agent, Domain.of(agent)), self)
        self._places.add(place)
        self._of_holders.update(place.holders)
        return place

    def vacate(self, place: _Place) -> None:
        """Note that this room is free again."""
        if place in self._places:
            self._places.remove(place)
            self._forget(place.holders)

    async def wait(self, hold: Hold, until: Monotonic, gone: asyncio.Event) -> HoldEnd:
        """Wait for a person's word; `gone` says that the caller left. It ends at `until` at the latest.

        Raises what looking for the word raises but for a store that is away: a bug.
        """
        if hold.place is not None:
            hold.place.free()  # nothing else runs until the request itself has the room
        now = self._clock.monotonic()
        left = max(0.0, hold.expires_at - self._clock.now())
        until = Monotonic(min(until, now + min(hold.longest, self._bounds.longest, left)))
        if self._draining.is_set() or until <= now:
            return HoldEnd.UNDECIDED
        if self._is_crowded(hold.scope):
            self._telemetry.hold_refused()
            return HoldEnd.CROWDED
        self._telemetry.hold_began()
        end = HoldEnd.LEFT  # where this task itself is cancelled
        try:
            end = await self._end(hold, Seconds(until - now), gone)
            return end
        finally:
            self._telemetry.hold_ended(end.value, Seconds(self._clock.monotonic() - now))

    def drain(self) -> None:
        """End all holds, and begin no other: the worker stops."""
        self._draining.set()

    def _is_crowded(self, agent: Scope) -> bool:
        bounds, holders = self._bounds, self._of_holders
        of_tenant, of_agent = holders[Domain.of(agent)], holders[agent]
        count = len(self._waits) + len(self._places)
        return count >= bounds.total or of_tenant >= bounds.of_tenant or of_agent >= bounds.of_agent

    async def _end(self, hold: Hold, longest: Seconds, gone: asyncio.Event) -> HoldEnd:
        word: asyncio.Future[HoldEnd] = asyncio.get_running_loop().create_future()
        self._waits[word] = hold.approval_id
        holders = (hold.scope, Domain.of(hold.scope))
        self._of_holders.update(holders)
        departure, stop = asyncio.ensure_future(gone.wait()), asyncio.ensure_future(self._draining.wait())
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._look_until_idle())
        watch = self._watch
        try:
            await asyncio.wait((word, departure, stop, watch), timeout=longest, return_when=asyncio.FIRST_COMPLETED)
            if gone.is_set():
                return HoldEnd.LEFT
            if word.done():
                return word.result()
            if watch.done():
                watch.result()  # it ends while somebody waits by a fault alone
            return HoldEnd.DRAINED if self._draining.is_set() else HoldEnd.UNDECIDED
        finally:
            departure.cancel()
            stop.cancel()
            del self._waits[word]
            self._forget(holders)

    def _forget(self, holders: Sequence[Scope | Domain]) -> None:
        self._of_holders.subtract(holders)
        self._of_holders = +self._of_holders  # those of whom nothing is kept open are forgotten

    async def _look_until_idle(self) -> None:
        while self._waits:
            await asyncio.sleep(_EVERY)
            await self._look()

    async def _look(self) -> None:
        waits = dict(self._waits)
        names = list(dict.fromkeys(waits.values()))
        try:
            async with asyncio.timeout(_PATIENCE):
                states = dict(zip(names, await self._states.states(names), strict=True))
        except (StoreDown, TimeoutError) as fault:
            _log.warning("%d requests wait no longer for a person: %s", len(waits), fault or "the store is too slow")
            return _tell(waits, dict.fromkeys(names, HoldEnd.STORE_AWAY))
        ends = {
            name: _ENDS.get(state, HoldEnd.SETTLED)
            for name, state in states.items()
            if state is not ApprovalState.PENDING
        }
        return _tell(waits, ends)


def _tell(waits: Mapping[asyncio.Future[HoldEnd], ApprovalId], ends: Mapping[ApprovalId, HoldEnd]) -> None:
    for word, name in waits.items():
        if name in ends and not word.done():
            word.set_result(ends[name])
