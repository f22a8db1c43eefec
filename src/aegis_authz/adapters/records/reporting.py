"""A writer says where its log stands, so that the control plane can anchor it."""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

from aegis_authz.core.anchor import Head
from aegis_authz.ports.anchors import RecordHeads
from aegis_authz.ports.data_plane import StoreDown

_log = logging.getLogger(__name__)
_EVERY = 5.0  # seconds


class StandingLog(Protocol):
    """A log that knows where it stands."""

    def head(self, place: str) -> Head | None:
        """What its newest durable checkpoint says, None without a record."""
        ...


class HeadReporter:
    """Reports the head of a log every few seconds, beside the calls: no decision waits for it or fails by it."""

    def __init__(self, log: StandingLog, heads: RecordHeads, place: str) -> None:
        self._log = log
        self._heads = heads
        self._place = place
        self._trouble = ""

    async def watch(self) -> None:
        """Report until cancelled."""
        while True:
            await self.report()
            await asyncio.sleep(_EVERY)

    async def report(self) -> None:
        """Report once; what hinders it is in the log once, until it succeeds again."""
        head = self._log.head(self._place)
        if head is None:
            return
        try:
            await self._heads.report(head)
        except StoreDown as fault:
            if not self._trouble:
                _log.warning("where the log of %s stands cannot be reported: %s", head.writer, fault)
            self._trouble = str(fault)
        else:
            self._trouble = ""
