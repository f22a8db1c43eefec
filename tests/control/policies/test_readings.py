from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from aegis_authz.control.policies.readings import Reading, Readings
from aegis_authz.control.policies.turns import TurnMissed
from aegis_authz.core.release import RevisionUnknown, Sources
from aegis_authz.core.units import Revision, Seconds
from aegis_authz.policy.load import Loaded, load
from aegis_authz.policy.source.problems import PolicyErrors


class Shelf:
    """A scripted archive and loader: it counts what is read."""

    def __init__(self, **revisions: str) -> None:
        self.revisions, self.reads = revisions, 0

    async def sources(self, revision: Revision) -> Sources:
        if revision not in self.revisions:
            raise RevisionUnknown(revision)
        return Sources({"a.yaml": self.revisions[revision]}, {})

    async def tests(self, revision: Revision) -> Mapping[str, str]:
        await self.sources(revision)
        return {}

    def loaded(self, sources: Sources) -> Loaded:
        self.reads += 1
        return load(sources.policies, sources.tools)


async def test_a_revision_is_read_once_however_many_ask_at_once() -> None:
    shelf = Shelf(r1="agent: a\n")
    readings = Readings(shelf, shelf)
    first, second = await asyncio.gather(readings.of(Revision("r1"), "ann"), readings.of(Revision("r1"), "ann"))
    assert (first is second, shelf.reads) == (True, 1)
    assert [policy.title for policy in first.loaded.policies] == ["*/*/a"]


async def test_of_many_revisions_the_latest_are_remembered() -> None:
    shelf = Shelf(**{f"r{number}": "agent: a\n" for number in range(6)})
    readings = Readings(shelf, shelf)
    for number in (*range(6), 5, 2):
        await readings.of(Revision(f"r{number}"), "ann")
    assert shelf.reads == 6
    await readings.of(Revision("r0"), "ann")
    assert shelf.reads == 7


async def test_what_cannot_be_read_is_not_remembered() -> None:
    shelf = Shelf(bad="agent: [\n")
    readings = Readings(shelf, shelf)
    for _ in range(2):
        with pytest.raises(PolicyErrors):
            await readings.of(Revision("bad"), "ann")
    assert shelf.reads == 2
    with pytest.raises(RevisionUnknown):
        await readings.of(Revision("r9"), "ann")


async def test_of_very_large_revisions_the_latest_alone_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aegis_authz.control.policies.readings._MOST_TEXT", 15)
    shelf = Shelf(r1="agent: a\n", r2="agent: b\n")
    readings = Readings(shelf, shelf)
    for name in ("r1", "r2", "r2", "r1"):
        await readings.of(Revision(name), "ann")
    assert shelf.reads == 3


async def test_who_reads_many_revisions_keeps_nobody_else_waiting_for_all_of_them() -> None:
    shelf = SlowShelf(**{f"r{number}": "agent: a\n" for number in range(6)})
    readings = Readings(shelf, shelf)
    greedy = [asyncio.create_task(readings.of(Revision(f"r{number}"), "ann")) for number in range(5)]
    await shelf.begun.wait()
    modest = asyncio.create_task(readings.of(Revision("r5"), "bob"))
    while len(readings._turns._waiting) < 2:
        await asyncio.sleep(0)
    shelf.may.set()
    await asyncio.gather(modest, *greedy)
    assert shelf.order.index("r5") <= 2


async def test_who_waits_too_long_for_others_is_told_so() -> None:
    shelf = SlowShelf(r1="agent: a\n", r2="agent: b\n")
    readings = Readings(shelf, shelf, Seconds(0.01))
    reading = Reading(Sources({}, {}), load({"a.yaml": "agent: a\n"}, {}))
    first = asyncio.create_task(readings.of(Revision("r1"), "ann"))
    await shelf.begun.wait()
    with pytest.raises(TurnMissed):
        await readings.of(Revision("r2"), "bob")
    with pytest.raises(TurnMissed):
        await readings.changes(reading, reading, "bob")
    shelf.may.set()
    await first
    assert await readings.changes(reading, reading, "bob") == ()


class SlowShelf(Shelf):
    """It gives the first revision once it may."""

    def __init__(self, **revisions: str) -> None:
        super().__init__(**revisions)
        self.begun, self.may, self.order = asyncio.Event(), asyncio.Event(), list[str]()

    async def sources(self, revision: Revision) -> Sources:
        self.order.append(revision)
        self.begun.set()
        await self.may.wait()
        return await super().sources(revision)
