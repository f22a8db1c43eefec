"""Where the logs of records stand is kept in the control plane's database, and copied out of it.

A head that went back, or is of another log than before, is kept like every other, and is an error in the log at once:
what contradicts it afterwards is found by `aegis audit verify`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from aegis_authz.core.anchor import Head
from aegis_authz.ports.anchors import AnchorCopy, AnchorCopyFault, RecordAnchors, RecordHeads
from aegis_authz.ports.data_plane import Clock, StoreDown
from aegis_authz.ports.database import DatabaseFault

_log = logging.getLogger(__name__)
_EVERY = 60.0
"""Seconds between two looks: so much of the end of a log may not be anchored yet. A day of a busy writer is 1,440
anchors, some 900 kB.
"""
_PAGE = 1000


class Anchorer:
    """Keeps what writers report, the control plane's `own` log included; `copy` is outside of the database, or None."""

    def __init__(
        self,
        anchors: RecordAnchors,
        reports: RecordHeads,
        own: Callable[[], Head | None],
        copy: AnchorCopy | None,
        clock: Clock,
    ) -> None:
        self._anchors = anchors
        self._reports = reports
        self._own = own
        self._copy = copy
        self._clock = clock

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(_EVERY)

    async def look(self) -> None:
        """Anchor what changed, and bring the copy up to date; what hinders one of these is in the log."""
        try:
            own, reported = self._own(), await self._heads()
            await self._keep([*([] if own is None else [own]), *reported])
            await self._forget(reported)
            if self._copy is not None:
                await self._bring_up_to_date(self._copy)
        except (DatabaseFault, AnchorCopyFault) as fault:
            _log.error("where the logs of records stand is not anchored: %s", fault)

    async def _heads(self) -> list[Head]:
        try:
            return list(await self._reports.heads())
        except StoreDown as fault:
            _log.warning("where the authorizers' logs stand cannot be asked: %s", fault)
            return []

    async def _forget(self, heads: list[Head]) -> None:
        # a writer that is gone says no more where its log stands, and where replicas come and go there are ever more
        try:
            await self._reports.forget(heads)
        except StoreDown as fault:
            _log.warning("what is anchored of the authorizers' logs cannot be forgotten: %s", fault)

    async def _keep(self, heads: list[Head]) -> None:
        before = {head.log: head for head in await self._anchors.newest()}
        writers = {(head.place, head.writer) for head in before.values()}
        for head in heads:
            known = before.get(head.log, head)
            if head.log not in before and (head.place, head.writer) in writers:
                _log.error("%s of %s writes another log than the one that was anchored", head.writer, head.place)
            elif head.size < known.size or (head.size == known.size and head.note != known.note):
                _log.error("the log of %s of %s went back behind where it was anchored", head.writer, head.place)
        await self._anchors.append(self._clock.now(), heads)

    async def _bring_up_to_date(self, copy: AnchorCopy) -> None:
        number, digest = await copy.last()
        if number:
            (anchor,) = await self._anchors.anchors(number - 1, 1) or (None,)
            if anchor is None or (anchor.number, anchor.hash) != (number, digest):
                raise AnchorCopyFault(f"the database does not hold anchor {number} as the copy does: one was altered")
        while page := await self._anchors.anchors(number, _PAGE):
            await copy.append(page)
            number = page[-1].number
