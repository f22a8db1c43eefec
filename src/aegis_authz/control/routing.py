"""The proxy's routes follow what OPA runs: whoever published it, and never before, nor a revision OPA refused."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from aegis_authz.control.status_board import StatusBoard
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.release import ReleasesFault, RevisionUnknown
from aegis_authz.core.units import NO_REVISION, Revision
from aegis_authz.policy.source.problems import PolicyErrors
from aegis_authz.ports.control_plane import Routes

_log = logging.getLogger(__name__)

CatalogueOf = Callable[[Revision], Catalogue]
"""Reads the tools of a revision. Raises RevisionUnknown, ReleasesFault, PolicyErrors."""


class RouteKeeper:
    """Writes the routes of the revision that most OPAs run, each time that changes.

    A call that is judged under another revision than its route is of is refused by the authorizer, so a moment's
    difference costs a retry and never a wrong tool.
    """

    def __init__(self, board: StatusBoard, catalogue_of: CatalogueOf, routes: Routes) -> None:
        self._board = board
        self._catalogue_of = catalogue_of
        self._routes = routes
        self._current = NO_REVISION
        self._turned = asyncio.Event()

    @property
    def current(self) -> Revision:
        """The revision whose routes were written last, "" before the first."""
        return self._current

    async def watch(self) -> None:
        """Follow until cancelled."""
        while True:
            news = self._board.news()
            await self.follow()
            await news.wait()

    async def follow(self) -> None:
        """Write the routes of what runs now, unless they are written; what stands in the way is logged."""
        running = self._running()
        if running in (NO_REVISION, self._current):
            return
        try:
            await asyncio.to_thread(self._write, running)
        except (RevisionUnknown, ReleasesFault, PolicyErrors, OSError, ValueError) as fault:
            _log.error("the routes of revision %s, which OPA runs, cannot be written: %s", running, fault)
            return
        self._current = running
        _log.info("the proxy's routes are those of revision %s", running)
        self._turned.set()
        self._turned = asyncio.Event()

    async def until(self, revision: Revision, wait: float) -> None:
        """Wait until the routes of this revision are written, at most `wait` seconds."""
        try:
            async with asyncio.timeout(wait):
                while self._current != revision:
                    await self._turned.wait()
        except TimeoutError:
            _log.warning("the routes of revision %s are not written yet", revision)

    def _running(self) -> Revision:
        counts = Counter(state.active_revision for state in self._board.states() if state.active_revision)
        if not counts:
            return NO_REVISION
        most = max(counts.values())
        leading = sorted(revision for revision, count in counts.items() if count == most)
        # between two that equally many run, what is written stays until one leads
        return Revision(self._current if self._current in leading else leading[0])

    def _write(self, revision: Revision) -> None:
        self._routes.show(self._catalogue_of(revision))
