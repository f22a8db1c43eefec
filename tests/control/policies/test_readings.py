from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pytest

from aegis_authz.control.policies.readings import Readings
from aegis_authz.core.release import RevisionUnknown, Sources
from aegis_authz.core.units import Revision
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
    first, second = await asyncio.gather(readings.of(Revision("r1")), readings.of(Revision("r1")))
    assert (first is second, shelf.reads) == (True, 1)
    assert [policy.title for policy in first.loaded.policies] == ["*/*/a"]


async def test_of_many_revisions_the_latest_are_remembered() -> None:
    shelf = Shelf(**{f"r{number}": "agent: a\n" for number in range(6)})
    readings = Readings(shelf, shelf)
    for number in (*range(6), 5, 2):
        await readings.of(Revision(f"r{number}"))
    assert shelf.reads == 6
    await readings.of(Revision("r0"))
    assert shelf.reads == 7


async def test_what_cannot_be_read_is_not_remembered() -> None:
    shelf = Shelf(bad="agent: [\n")
    readings = Readings(shelf, shelf)
    for _ in range(2):
        with pytest.raises(PolicyErrors):
            await readings.of(Revision("bad"))
    assert shelf.reads == 2
    with pytest.raises(RevisionUnknown):
        await readings.of(Revision("r9"))
