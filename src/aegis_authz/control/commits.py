"""Waiting for commits: an idle control plane asks its database one cheap question a second, and not one a loop."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aegis_authz.core.units import Seconds
from aegis_authz.ports.commits import LONGEST, CommitMarks, Commits
from aegis_authz.ports.database import DatabaseFault

_EVERY = Seconds(1.0)
"""Seconds between two looks, and until what failed is tried again."""


class CommitWatch:
    """`ports.Commits` by one look a second at `marks`."""

    def __init__(self, marks: CommitMarks, longest: Seconds = LONGEST) -> None:
        """`longest` is how often everybody is woken whatever the database says, and while it says nothing."""
        self._marks = marks
        self._longest = longest
        self._mark: object = object()
        self._number = 0
        self._news = asyncio.Event()

    @property
    def number(self) -> int:
        """Another after each commit that was noticed, and now and then without one."""
        return self._number

    async def watch(self) -> None:
        """Look until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._doubt())
            while True:
                await self.look()
                await asyncio.sleep(_EVERY)

    async def look(self) -> None:
        """Look once, and wake everybody who waits if there is a reason to."""
        try:
            mark = await self._marks.read()
        except DatabaseFault:
            mark = object()  # whoever reads the database meets the fault, and says what it hinders
        if mark != self._mark:
            self._mark = mark
            self._wake()

    async def _doubt(self) -> None:
        # who reads at another number alone would else never learn what a server says that answers nothing, or the same
        while True:
            await asyncio.sleep(self._longest)
            self._wake()

    def _wake(self) -> None:
        self._number += 1
        self._news.set()
        self._news = asyncio.Event()

    async def after(self, number: int, patience: Seconds) -> None:
        """Return once `number` is another than that, at the latest after so many seconds."""
        try:
            async with asyncio.timeout(patience):
                while self._number == number:
                    await self._news.wait()
        except TimeoutError:
            return


async def look_at_commits(
    commits: Commits,
    look: Callable[[], Awaitable[object]],
    faults: tuple[type[Exception], ...],
    trouble: Callable[[Exception], None],
) -> None:
    """Look now and after each commit, until cancelled. A fault is told to `trouble`, and looked again in a second."""
    while True:
        number, pause = commits.number, LONGEST
        try:
            await look()
        except faults as fault:
            trouble(fault)
            pause = _EVERY
        await commits.after(number, pause)
