"""The proxy's routes follow what OPA runs: whoever published it, and never before, nor a revision OPA refused."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable

from aegis_authz.control.policies.status_board import StatusBoard
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.release import ReleasesFault, RevisionUnknown
from aegis_authz.core.units import NO_REVISION, Revision
from aegis_authz.policy.source.problems import PolicyErrors
from aegis_authz.ports.control_plane import Routes

_log = logging.getLogger(__name__)

CatalogueOf = Callable[[Revision], Catalogue]
"""Reads the tools of a revision. Raises RevisionUnknown, ReleasesFault, PolicyErrors."""

FIRST_DELAY, LAST_DELAY = 0.5, 30.0
"""Seconds until routes that could not be written are tried again, doubled each time, unless OPA reports before."""


class RouteKeeper:
    """Writes the routes of the revision that most OPAs run, each time that changes.

    A call that is judged under another revision than its route is of is refused by the authorizer, so a moment's
    difference costs a retry and never a wrong tool.
    """

    def __init__(
        self, board: StatusBoard, catalogue_of: CatalogueOf, routes: Routes, first_delay: float = FIRST_DELAY
    ) -> None:
        self._board = board
        self._catalogue_of = catalogue_of
        self._routes = routes
        self._first_delay = first_delay
        self._current = NO_REVISION
        self._trouble = ""
        self._turned = asyncio.Event()

    @property
    def current(self) -> Revision:
        """The revision whose routes were written last, "" before the first."""
        return self._current

    @property
    def trouble(self) -> str:
        """Why the routes are not those of the revision that OPA runs, "" when they are or nobody runs any."""
        return self._trouble

    async def watch(self) -> None:
        """Follow until cancelled: at each report of an OPA, and by itself while something stands in the way."""
        delay = self._first_delay
        while True:
            news = self._board.news()
            await self.follow()
            if not self._trouble:
                delay = self._first_delay
                await news.wait()
                continue
            try:
                async with asyncio.timeout(delay):
                    await news.wait()
            except TimeoutError:
                delay = min(2 * delay, LAST_DELAY)

    async def follow(self) -> None:
        """Write the routes of what runs now, unless they are written; what stands in the way is logged."""
        running = self._running()
        if running in (NO_REVISION, self._current):
            self._trouble = ""
            return
        try:
            await asyncio.to_thread(self._write, running)
        except (RevisionUnknown, ReleasesFault, PolicyErrors, OSError, ValueError) as fault:
            self._trouble = f"the routes of revision {running}, which OPA runs, cannot be written: {fault}"
            _log.error("%s", self._trouble)
            return
        self._current, self._trouble = running, ""
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
