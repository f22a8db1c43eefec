"""Quarantines by hand, and what becomes of limits when Redis may have forgotten what was used of them."""

from __future__ import annotations

import asyncio
import logging

from aegis_authz.control.policies.publishing import Publisher
from aegis_authz.core.breaker import Quarantine
from aegis_authz.core.release import ChangeKind
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.ports.control_plane import FirstStart, LimitMemory, Quarantines
from aegis_authz.ports.data_plane import Clock, StoreDown

_log = logging.getLogger(__name__)
_EVERYBODY = Scope("all", "all", "all")
"""Whom the change log names where it is about every agent."""
_TICK = Seconds(1.0)
"""Seconds between two looks until limits count."""
_REST = Seconds(10.0)
"""And from then on: where they are forgotten calls are refused at once all the same, and a look says so in the log."""
_FINISHED = ""
"""What is kept of a first start that was finished, in place of the life it was begun in."""


class NotQuarantined(Exception):
    """It is not quarantined."""


class LimitKeeper:
    """Quarantines and releases agents, and resets limits; each is a line of the change log.

    A Redis that is used for the first time has forgotten nothing. One that was started again, that lost its data, or
    that another took over from may have: limits refuse until their windows are over, or an operator resets them.
    """

    def __init__(
        self, memory: LimitMemory, quarantines: Quarantines, first: FirstStart, publisher: Publisher, clock: Clock
    ) -> None:
        self._memory = memory
        self._quarantines = quarantines
        self._first = first
        self._publisher = publisher
        self._clock = clock
        self._is_warned = False
        self._is_finished = False

    async def quarantine(self, scope: Scope, life: Seconds, by: str, note: str) -> Quarantine:
        """Refuse every call of the agent for a while. Raises StoreDown, ReleasesFault when it could not be logged."""
        now = self._clock.now()
        quarantine = Quarantine(scope, now, Epoch(now + life), by)
        await self._quarantines.quarantine(quarantine)
        await self._publisher.note(ChangeKind.QUARANTINED, scope, by, note)
        _log.warning("%s quarantined for %.0f s by %r: %r", scope, life, by, note)
        return quarantine

    async def release(self, scope: Scope, by: str, note: str) -> float:
        """Let policy judge the agent again; returns when. Raises NotQuarantined, StoreDown, ReleasesFault."""
        now = self._clock.now()
        if not any(entry.scope == scope for entry in await self._quarantines.quarantines(now)):
            raise NotQuarantined(f"{scope} is not quarantined")
        # logged first: an agent that runs again without a line about it would be worse than the reverse
        await self._publisher.note(ChangeKind.RELEASED, scope, by, note)
        await self._quarantines.release(scope, now)
        _log.warning("%s released by %r: %r", scope, by, note)
        return now

    async def list(self) -> list[Quarantine]:
        """Who is quarantined, by breakers or by hand. Raises StoreDown."""
        return await self._quarantines.quarantines(self._clock.now())

    async def reset(self, by: str, note: str) -> float:
        """Count nothing that was charged as forgotten, from now on; returns when. Raises StoreDown, ReleasesFault."""
        await self._publisher.note(ChangeKind.LIMITS_RESET, _EVERYBODY, by, note)
        await self._memory.declare_counted()
        self._is_warned = False
        _log.warning("limits reset by %r: %r", by, note)
        return self._clock.now()

    async def watch(self) -> None:
        """See whether limits count, until cancelled."""
        while True:
            pause = _TICK
            try:
                pause = await self.remind()
            except (StoreDown, OSError) as fault:
                _log.warning("whether limits are remembered cannot be seen: %s", fault)
            await asyncio.sleep(pause)

    async def remind(self) -> Seconds:
        """Begin the memory of limits at the first start; say it when it may have been lost.

        Returns after how long to look again. Raises StoreDown, OSError.
        """
        begun = await self._first_life()
        if await self._memory.is_counted():
            self._is_warned = False
            if begun != _FINISHED:
                await asyncio.to_thread(self._first.finish)
            return _REST
        # on disk before it counts: a store that is lost between the two must not be taken for a new one
        if begun is None:
            begun = await self._memory.life()
            await asyncio.to_thread(self._first.begin, begun)
        if begun != _FINISHED and begun == await self._memory.life():
            await self._memory.declare_counted()
            await asyncio.to_thread(self._first.finish)
            return _REST
        if not self._is_warned:
            self._is_warned = True
            _log.error(
                "Redis may have forgotten what was used of limits: each refuses until its window is over (LIMIT_LOST), "
                "or until an operator who knows what was lost says: aegis limits reset"
            )
        return _TICK

    async def _first_life(self) -> str | None:
        """How far the first start came; once it was finished, it is for good. Raises OSError."""
        if self._is_finished:
            return _FINISHED
        begun = await asyncio.to_thread(self._first.life)
        self._is_finished = begun == _FINISHED
        return begun
