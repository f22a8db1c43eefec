"""The documents of revisions, read once: what a revision is made of never changes."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from aegis_authz.core.release import Sources
from aegis_authz.core.units import Revision
from aegis_authz.policy.load import Loaded

_MOST = 4
"""How many revisions are remembered: those that are compared, and those that are tried."""


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
    """Reads the documents of a revision, off the event loop, for one caller at a time, and remembers the latest."""

    def __init__(self, archive: Archive, loader: Loader) -> None:
        self._archive = archive
        self._loader = loader
        self._latest: OrderedDict[Revision, Reading] = OrderedDict()
        self._one_at_a_time = asyncio.Lock()

    async def of(self, revision: Revision) -> Reading:
        """What a revision is made of. Raises RevisionUnknown, PolicyErrors where it is not valid now, ReleasesFault."""
        async with self._one_at_a_time:
            reading = self._latest.get(revision)
            if reading is None:
                reading = await self._read(await self._archive.sources(revision))
            self._latest[revision] = reading
            self._latest.move_to_end(revision)
            while len(self._latest) > _MOST:
                self._latest.popitem(last=False)
            return reading

    async def of_sources(self, sources: Sources) -> Reading:
        """The same of documents that are no revision. Raises PolicyErrors."""
        async with self._one_at_a_time:
            return await self._read(sources)

    async def sources(self, revision: Revision) -> Sources:
        """The documents of a revision as they were written. Raises RevisionUnknown, ReleasesFault."""
        return await self._archive.sources(revision)

    async def tests(self, revision: Revision) -> Mapping[str, str]:
        """The policy tests of a revision. Raises RevisionUnknown, ReleasesFault."""
        return await self._archive.tests(revision)

    async def _read(self, sources: Sources) -> Reading:
        return Reading(sources, await asyncio.to_thread(self._loader.loaded, sources))
