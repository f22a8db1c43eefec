"""Turns at OPA for calls that take it long: one at a time, in turn for each agent who has some waiting.

After each of them OPA's CPU is for short calls: for as long as it took nobody begins another, and for `REST` times as
long not the agent whose it was. So an agent who sends one after another delays the long call of another agent by about
two of his own, and never keeps the turn.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aegis_authz.core.scope import Scope

REST = 3
"""How much longer than a long call took its agent has no other: OPA's CPU is for the short ones, too."""
MOST_RESTING = 1024
"""Agents whose rest is remembered: those who rest longest are forgotten first."""


class Turns:
    """Gives the turn to one waiter after another. Times are those of the event loop's clock."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[Scope, deque[asyncio.Future[None]]] = OrderedDict()
        self._rests: OrderedDict[Scope, float] = OrderedDict()
        self._is_taken = False
        self._begins = 0.0  # nobody's turn begins before
        self._alarm: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def turn(self, agent: Scope) -> AsyncIterator[None]:
        """Hold the turn for the length of the block; who gives up waiting has none."""
        loop = asyncio.get_running_loop()
        mine: asyncio.Future[None] = loop.create_future()
        self._waiting.setdefault(agent, deque()).append(mine)
        self._give(loop)
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._end(loop)  # it was given in the very moment it was given up
            raise
        began = loop.time()
        try:
            yield
        finally:
            now = loop.time()
            self._begins = now + (now - began)
            self._rest(agent, now + REST * (now - began))
            if agent in self._waiting:
                self._waiting.move_to_end(agent)
            self._end(loop)

    def _rest(self, agent: Scope, until: float) -> None:
        self._rests[agent] = until
        self._rests.move_to_end(agent)
        while len(self._rests) > MOST_RESTING:
            self._rests.popitem(last=False)

    def _end(self, loop: asyncio.AbstractEventLoop) -> None:
        self._is_taken = False
        self._give(loop)

    def _give(self, loop: asyncio.AbstractEventLoop) -> None:
        """Give the turn to who has waited longest of those who may have it; look again when the next one may."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if self._is_taken:
            return
        now, earliest = loop.time(), float("inf")
        for agent, waiters in list(self._waiting.items()):
            while waiters and waiters[0].done():
                waiters.popleft()
            if not waiters:
                del self._waiting[agent]
                continue
            begins = max(self._begins, self._rests.get(agent, 0.0))
            if begins > now:
                earliest = min(earliest, begins)
                continue
            self._is_taken = True
            waiters.popleft().set_result(None)
            return
        if self._waiting:
            self._alarm = loop.call_at(earliest, self._give, loop)
