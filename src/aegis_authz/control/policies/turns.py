"""Whose turn it is on a server that works for few callers at a time."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from aegis_authz.core.units import Seconds

_Result = TypeVar("_Result")


class TurnMissed(Exception):
    """Others were at it for as long as one waits."""


class Turns:
    """So many turns at a time, and the next is that of another person who waits: of each person, one is in the line."""

    def __init__(self, patience: Seconds, places: int = 1) -> None:
        """`patience` is how long one waits for others; `places` is how many take their turns at the same time."""
        self._patience = patience
        self._line = asyncio.Semaphore(places)
        self._own_lines: dict[str, asyncio.Lock] = {}
        self._waiting: Counter[str] = Counter()

    async def run(self, person: str, work: Callable[[], Awaitable[_Result]]) -> _Result:
        """Do this person's work in their turn. Raises TurnMissed, and what the work raises.

        The turn lasts as long as the work, also where nobody waits for it any more: what goes on in a thread does so,
        and whoever hangs up must not have the next run beside it.
        """

        async def work_in_turn() -> _Result:
            async with self._turn_of(person):
                return await work()

        # gathered: a fault of what nobody waits for any more is no line of the log
        (outcome,) = await asyncio.shield(asyncio.gather(work_in_turn(), return_exceptions=True))
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    @asynccontextmanager
    async def _turn_of(self, person: str) -> AsyncIterator[None]:
        own = self._own_lines.setdefault(person, asyncio.Lock())
        self._waiting[person] += 1
        try:
            try:
                async with asyncio.timeout(self._patience):
                    await own.acquire()
                    try:
                        await self._line.acquire()
                    except BaseException:  # whatever ended the wait, the next of this person may go on
                        own.release()
                        raise
            except TimeoutError:
                raise TurnMissed from None
            try:
                yield
            finally:
                self._line.release()
                own.release()
        finally:
            self._waiting[person] -= 1
            if not self._waiting[person]:
                del self._waiting[person], self._own_lines[person]
