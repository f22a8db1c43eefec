"""The history of held calls, made whole after a crash.

A decision is a line of the change log first, then it is taken, then it is in the history. What ended in between, the
control plane or its database, left a line and a decision without their event. The line has all of it but the door.
"""

from __future__ import annotations

import asyncio
import logging

from aegis_authz.control.approvals.deciding_on_record import EVENTS, Verb
from aegis_authz.core.approval import MAX_APPROVAL_LIFE, Approval, ApprovalNotFound, ApprovalState
from aegis_authz.core.approval_event import ApprovalEvent
from aegis_authz.core.change_line import Act, ChangeLine
from aegis_authz.core.units import ApprovalId, Epoch
from aegis_authz.ports.approval_history import ApprovalHistory
from aegis_authz.ports.change_log import ChangeLog
from aegis_authz.ports.data_plane import Approvals, Clock, StoreDown
from aegis_authz.ports.database import DatabaseFault

_log = logging.getLogger(__name__)
_VERBS = {f"approvals:{verb.value}": verb for verb in Verb}
_BACK = MAX_APPROVAL_LIFE + 86_400.0
"""Seconds: an approval is forgotten a day past its time, and nothing can be told of a decision after that."""
_EVERY = 60.0
"""Seconds between two looks; a line is looked at until it is that old, for its decision may be under way."""
_PAGE = 500


class HistoryWatch:
    """Looks for decisions that are not in the history: at a start for all that can be told, then for those since.

    It adds an event once, however often it looks and whichever control plane does.
    """

    def __init__(self, changes: ChangeLog, approvals: Approvals, history: ApprovalHistory, clock: Clock) -> None:
        self._changes = changes
        self._approvals = approvals
        self._history = history
        self._clock = clock
        self._after: int | None = None

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                await self.look()
            except (StoreDown, DatabaseFault) as fault:
                _log.warning("whether the history of held calls is whole cannot be told: %s", fault)
            await asyncio.sleep(_EVERY)

    async def look(self) -> None:
        """Add what is missing. Raises StoreDown, DatabaseFault."""
        now = self._clock.now()
        after = await self._first(now) if self._after is None else self._after
        while True:
            lines = await self._changes.lines(after, _PAGE)
            for line in lines:
                await self._add(line.act)
                after = line.number
                if line.act.at < now - _EVERY:
                    self._after = after
            if len(lines) < _PAGE:
                return

    async def _first(self, now: Epoch) -> int:
        """The number of the last line that is too old to tell anything of."""
        before: int | None = None
        while lines := await self._changes.latest(before, _PAGE):
            old = next((line for line in lines if line.act.at < now - _BACK), None)
            if old is not None:
                return old.number
            before = _oldest(lines)
        return 0

    async def _add(self, act: Act) -> None:
        verb = _VERBS.get(act.action)
        if verb is None:
            return
        try:
            approval = await self._approvals.get(ApprovalId(act.subject))
        except ApprovalNotFound:
            return
        if not _is_done(approval, verb, act.person):
            return
        request = approval.request
        event = ApprovalEvent.of(request, EVENTS[verb], act.person, "", act.reason, act.at)
        await self._history.append(ApprovalEvent.asked(request))
        if await self._history.append(event):
            _log.warning("%s of %s by %s was missing in the history", event.kind.value, request.id, act.person)


def _is_done(approval: Approval, verb: Verb, person: str) -> bool:
    """Whether the person did that: a line is written before, and tells only that somebody was about to."""
    match verb:
        case Verb.APPROVE:
            return person in approval.approved_by
        case Verb.DENY:
            return (approval.state, approval.decided_by) == (ApprovalState.DENIED, person)
        case Verb.CANCEL:
            return (approval.state, approval.decided_by) == (ApprovalState.CANCELLED, person)


def _oldest(lines: list[ChangeLine]) -> int:
    return lines[-1].number
