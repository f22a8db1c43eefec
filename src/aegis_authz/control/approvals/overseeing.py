"""Oversight of approvals at the control plane: the figures of a while, and an alert where somebody reads nothing."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence

from aegis_authz.approvals.oversight import Dimension, Stamp, StampTerms, figures_of, stamps
from aegis_authz.control.acts import Note
from aegis_authz.core.approval_event import ApprovalEvent
from aegis_authz.core.person import WHOLE_MESH, Person
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.evidence.oversight import Figures
from aegis_authz.ports.approval_history import ApprovalHistory
from aegis_authz.ports.data_plane import Clock
from aegis_authz.ports.database import DatabaseFault

_log = logging.getLogger(__name__)
_EVERY = 60.0
"""Seconds between two looks."""
_PAGE, _MOST_PAGES = 2_000, 100
_SELF = Person("control", "The control plane", frozenset(), ())


class TooManyEvents(Exception):
    """More events than are added up at once; a shorter time has fewer."""


class Overseer:
    """Reads the history of held calls. Every method raises DatabaseFault and TooManyEvents."""

    def __init__(self, history: ApprovalHistory, terms: StampTerms, note: Note, clock: Clock) -> None:
        self._history = history
        self._terms = terms
        self._note = note
        self._clock = clock
        self._alerted: set[str] = set()

    async def figures(
        self, groupings: Collection[Dimension], span: Seconds, visible: Callable[[Scope], bool]
    ) -> dict[Dimension, list[Figures]]:
        """How people decided in the last `span` seconds, of the agents that are visible, by each of the groupings."""
        # off the event loop: adding up what may be 200,000 events takes a second, in which nobody would be answered
        return await asyncio.to_thread(_figures, await self._events(span), groupings, visible)

    async def stamps(self, visible: Callable[[Scope], bool]) -> list[Stamp]:
        """Who approves without reading, by the terms of the settings, of the agents that are visible."""
        return await asyncio.to_thread(_stamps, await self._events(self._terms.within), self._terms, visible)

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except (DatabaseFault, TooManyEvents) as fault:
                _log.warning("whether anybody approves without reading cannot be told: %s", fault)
            await asyncio.sleep(_EVERY)

    async def look(self) -> None:
        """Alert once about everybody who approves without reading, and again once that had ended."""
        found = {stamp.person: stamp for stamp in await self.stamps(lambda _: True)}
        for person in sorted(found.keys() - self._alerted):
            _log.warning("%s approves without reading: %s", person, found[person])
            await self._note(_SELF, "approvals:rubber_stamping", person, str(WHOLE_MESH), str(found[person]))
            self._alerted.add(person)
        self._alerted &= found.keys()

    async def _events(self, span: Seconds) -> list[ApprovalEvent]:
        now = self._clock.now()
        events: list[ApprovalEvent] = []
        after = 0
        for _ in range(_MOST_PAGES):
            lines = await self._history.lines(Epoch(now - span), Epoch(now + 1), after, _PAGE)
            events += (line.event for line in lines)
            if len(lines) < _PAGE:
                return events
            after = lines[-1].number
        raise TooManyEvents(f"there are more than {_MOST_PAGES * _PAGE} events; ask for a shorter time")


def _figures(
    events: Sequence[ApprovalEvent], groupings: Collection[Dimension], visible: Callable[[Scope], bool]
) -> dict[Dimension, list[Figures]]:
    own = [event for event in events if visible(event.scope)]
    return {by: figures_of(own, by) for by in groupings}


def _stamps(events: Sequence[ApprovalEvent], terms: StampTerms, visible: Callable[[Scope], bool]) -> list[Stamp]:
    own = (event for event in events if visible(event.scope))
    return sorted(stamps(own, terms).values(), key=lambda stamp: -stamp.hasty)
