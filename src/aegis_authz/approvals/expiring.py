"""Approvals whose time is over without a use: seen, recorded, and kept so."""

from __future__ import annotations

import asyncio
import logging

from aegis_authz.approvals.deciding import record_of
from aegis_authz.core.approval import Approval, ApprovalNotFound, ApprovalState
from aegis_authz.core.approval_event import ApprovalEvent, ApprovalEventKind
from aegis_authz.core.record import ApprovalStep
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import ApprovalId, Epoch, Seconds
from aegis_authz.ports.approval_history import ApprovalHistory
from aegis_authz.ports.data_plane import Approvals, Clock, RecordLog, StoreDown
from aegis_authz.ports.database import DatabaseFault

_log = logging.getLogger(__name__)
EVERY = Seconds(5.0)
"""Seconds between two looks."""
_BACK = 86_400.0  # so long are approvals kept past their time
_MOST = 200


class ExpiryWatch:
    """Looks now and then for what expired. On record first: a crash in between records an expiry twice, never not."""

    def __init__(self, approvals: Approvals, records: RecordLog, history: ApprovalHistory, clock: Clock) -> None:
        self._approvals = approvals
        self._records = records
        self._history = history
        self._clock = clock
        self._since = Epoch(clock.now() - _BACK)
        self._recorded: set[ApprovalId] = set()

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except (StoreDown, DatabaseFault, Refused) as fault:
                _log.warning("what expired is not recorded yet: %s", fault)
            await asyncio.sleep(EVERY)

    async def look(self) -> None:
        """Record what expired since the last look. Raises StoreDown, DatabaseFault, Refused(RECORD_FAILED)."""
        now = self._clock.now()
        while self._since < now:
            overdue, until = await self._approvals.overdue(self._since, now, _MOST)
            for approval in overdue:
                await self._end(approval, now)
            self._since = until

    async def _end(self, approval: Approval, now: Epoch) -> None:
        request = approval.request
        if request.id not in self._recorded:
            record = record_of(request, ApprovalStep.EXPIRED, "", _note(approval), request.expires_at)
            await self._records.append(record)
            self._recorded.add(request.id)  # should the next step fail, it is not recorded again
        expired = ApprovalEventKind.EXPIRED
        await self._history.append(ApprovalEvent.asked(request))
        await self._history.append(ApprovalEvent.of(request, expired, "", "", _note(approval), request.expires_at))
        try:
            await self._approvals.expire(request.id, now)
        except ApprovalNotFound:
            _log.info("%s was forgotten meanwhile", request.id)
        self._recorded.discard(request.id)


def _note(approval: Approval) -> str:
    return f"granted by {approval.decided_by}, not used" if approval.state is ApprovalState.APPROVED else "not decided"
