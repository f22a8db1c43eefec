from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from aegis_authz.control.commits import CommitWatch, look_at_commits
from aegis_authz.core.units import Seconds
from aegis_authz.ports.database import DatabaseFault
from tests.support.commit_marks import ScriptedMarks

FOREVER = Seconds(3600.0)


@pytest.fixture
def marks() -> ScriptedMarks:
    return ScriptedMarks()


@pytest.fixture
async def commits(marks: ScriptedMarks) -> CommitWatch:
    watch = CommitWatch(marks)
    await watch.look()
    return watch


async def settled() -> None:
    """Let everything run that can."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_who_waits_is_woken_by_a_commit_and_by_nothing_else(marks: ScriptedMarks, commits: CommitWatch) -> None:
    waits = [asyncio.create_task(commits.after(commits.number, FOREVER)) for _ in range(3)]
    await commits.look()
    await settled()
    assert not any(wait.done() for wait in waits)
    marks.mark = 1
    await commits.look()
    await settled()
    assert all(wait.done() for wait in waits)


async def test_a_commit_before_the_wait_is_not_missed(marks: ScriptedMarks, commits: CommitWatch) -> None:
    number = commits.number
    marks.mark = 1
    await commits.look()
    await commits.after(number, FOREVER)
    assert commits.number != number


async def test_a_wait_ends_when_its_patience_does(commits: CommitWatch) -> None:
    number = commits.number
    await commits.after(number, Seconds(0.0))
    assert commits.number == number


async def test_a_database_that_cannot_be_asked_has_everybody_look(marks: ScriptedMarks, commits: CommitWatch) -> None:
    numbers = [commits.number]
    marks.is_away = True
    for _ in range(2):
        await commits.look()
        numbers.append(commits.number)
    marks.is_away = False
    await commits.look()
    numbers.append(commits.number)
    assert len(set(numbers)) == 4


async def looked(commits: CommitWatch, look: Callable[[], Awaitable[None]], marks: ScriptedMarks, times: int) -> None:
    """Have it look at the start and at so many commits."""
    task = asyncio.create_task(look_at_commits(commits, look, (DatabaseFault,), lambda _: None))
    await settled()
    for _ in range(times):
        marks.mark += 1
        await commits.look()
        await settled()
    task.cancel()


async def test_it_is_looked_at_the_start_and_once_a_commit(marks: ScriptedMarks, commits: CommitWatch) -> None:
    looks: list[int] = []

    async def look() -> None:
        looks.append(marks.mark)

    await looked(commits, look, marks, 3)
    assert looks == [0, 1, 2, 3]


async def test_a_commit_while_it_is_looked_has_it_looked_again(marks: ScriptedMarks, commits: CommitWatch) -> None:
    looks: list[int] = []

    async def look() -> None:
        looks.append(marks.mark)
        if marks.mark == 1:  # it has read the table by now, and another control plane commits
            marks.mark = 2
            await commits.look()

    await looked(commits, look, marks, 1)
    assert looks == [0, 1, 2]


async def test_a_fault_is_told_and_looked_again_without_a_commit(commits: CommitWatch) -> None:
    faults: list[Exception] = []
    again = asyncio.Event()

    async def look() -> None:
        if not faults:
            raise DatabaseFault("away")
        again.set()

    task = asyncio.create_task(look_at_commits(commits, look, (DatabaseFault,), faults.append))
    async with asyncio.timeout(20):
        await again.wait()
    task.cancel()
    assert [str(fault) for fault in faults] == ["away"]


async def test_the_watch_looks_until_it_is_cancelled(marks: ScriptedMarks) -> None:
    commits = CommitWatch(marks)
    watch = asyncio.create_task(commits.watch())
    await commits.after(0, FOREVER)
    number = commits.number
    marks.mark = 1
    await commits.after(number, FOREVER)
    watch.cancel()
    assert commits.number != number


class Hanging:
    """A database that was answered once, and gives no answer any more."""

    def __init__(self) -> None:
        self.count = 0

    async def read(self) -> object:
        """The mark, at the first time."""
        self.count += 1
        if self.count > 1:
            await asyncio.Event().wait()
        return 0


@pytest.mark.parametrize("marks", [ScriptedMarks, Hanging])
async def test_everybody_looks_now_and_then_whatever_the_database_says(marks: type[ScriptedMarks | Hanging]) -> None:
    commits = CommitWatch(marks(), longest=Seconds(0.01))
    watch = asyncio.create_task(commits.watch())
    async with asyncio.timeout(20):
        for _ in range(3):
            await commits.after(commits.number, FOREVER)
    watch.cancel()
