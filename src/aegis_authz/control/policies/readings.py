"""The documents of revisions, read once: what a revision is made of never changes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from aegis_authz.control.policies.turns import Turns
from aegis_authz.core.release import Sources
from aegis_authz.core.units import Revision, Seconds
from aegis_authz.policy.load import Loaded
from aegis_authz.policy.release_changes import ReleaseChange, release_changes

_MOST = 4
"""How many revisions are remembered: those that are compared, and those that are tried."""
_MOST_TEXT = 8_000_000
"""Characters of all that is remembered: read, a document takes some ten times its text."""
_PATIENCE = Seconds(20.0)
"""How long one waits until documents are read that others asked for."""


class Loader(Protocol):
    """Reads and checks documents (`control.policies.building`)."""

    def loaded(self, sources: Sources) -> Loaded:
        """These documents, checked. Raises PolicyErrors."""
        ...


class Archive(Protocol):
    """Holds the documents of revisions (`control.policies.publishing`)."""

    async def sources(self, revision: Revision) -> Sources:
        """The documents of a revision. Raises RevisionUnknown, ReleasesFault."""
        ...

    async def tests(self, revision: Revision) -> Mapping[str, str]:
        """The policy tests that came with it. Raises RevisionUnknown, ReleasesFault."""
        ...


@dataclass(frozen=True, slots=True)
class Reading:
    """Documents as they were written, and as they were read."""

    sources: Sources
    loaded: Loaded


class Readings:
    """Reads the documents of a revision, off the event loop, and remembers the latest: one is read at a time, and the
    next is what another person waits for.
    """

    def __init__(self, archive: Archive, loader: Loader, patience: Seconds = _PATIENCE) -> None:
        """`patience` is how long one waits for others."""
        self._archive = archive
        self._loader = loader
        self._latest: OrderedDict[Revision, Reading] = OrderedDict()
        self._turns = Turns(patience)

    async def of(self, revision: Revision, by: str) -> Reading:
        """What a revision is made of, for somebody.

        Raises RevisionUnknown, PolicyErrors where it is not valid now, ReleasesFault, TurnMissed.
        """
        reading = self._remembered(revision)
        return await self._turns.run(by, partial(self._read_once, revision)) if reading is None else reading

    async def of_sources(self, sources: Sources, by: str) -> Reading:
        """The same of documents that are no revision. Raises PolicyErrors, TurnMissed."""
        return await self._turns.run(by, partial(self._read, sources))

    async def changes(self, before: Reading, after: Reading, by: str) -> tuple[ReleaseChange, ...]:
        """What documents differ in from others, by their words. Raises TurnMissed."""
        former, own = ((reading.sources, reading.loaded) for reading in (before, after))
        return await self._turns.run(by, partial(asyncio.to_thread, release_changes, former, own))

    async def sources(self, revision: Revision) -> Sources:
        """The documents of a revision as they were written. Raises RevisionUnknown, ReleasesFault."""
        return await self._archive.sources(revision)

    async def tests(self, revision: Revision) -> Mapping[str, str]:
        """The policy tests of a revision. Raises RevisionUnknown, ReleasesFault."""
        return await self._archive.tests(revision)

    async def _read_once(self, revision: Revision) -> Reading:
        reading = self._remembered(revision)  # by whoever had the turn before
        if reading is None:
            reading = self._latest[revision] = await self._read(await self._archive.sources(revision))
            self._forget()
        return reading

    def _remembered(self, revision: Revision) -> Reading | None:
        if revision in self._latest:
            self._latest.move_to_end(revision)
        return self._latest.get(revision)

    def _forget(self) -> None:
        """Forget the oldest of too many, or of too much text, but never the latest."""
        sizes = {revision: _size(reading.sources) for revision, reading in self._latest.items()}
        while len(self._latest) > 1 and (len(self._latest) > _MOST or sum(sizes.values()) > _MOST_TEXT):
            del sizes[self._latest.popitem(last=False)[0]]

    async def _read(self, sources: Sources) -> Reading:
        return Reading(sources, await asyncio.to_thread(self._loader.loaded, sources))


def _size(sources: Sources) -> int:
    return sum(len(text) for texts in (sources.policies, sources.tools) for text in texts.values())
