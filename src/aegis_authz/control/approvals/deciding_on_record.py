"""Decisions about held calls, whichever door they come through: a line of the change log before, the history after."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial

from aegis_authz.approvals.deciding import Approver
from aegis_authz.approvals.rules import require_proof
from aegis_authz.control.acts import Note, done_or_noted
from aegis_authz.core.approval import Approval, ApprovalRequest
from aegis_authz.core.approval_event import ApprovalEvent, ApprovalEventKind
from aegis_authz.core.change_line import MOST_NOTE
from aegis_authz.core.person import Domain, Person
from aegis_authz.policy.source.problems import printable
from aegis_authz.ports.approval_history import ApprovalHistory
from aegis_authz.ports.data_plane import Clock
from aegis_authz.ports.database import DatabaseFault

_log = logging.getLogger(__name__)


class Verb(Enum):
    """What a person can do about a held call, as the change log calls it."""

    APPROVE = "approve"
    DENY = "deny"
    CANCEL = "cancel"


EVENTS = {
    Verb.APPROVE: ApprovalEventKind.APPROVED,
    Verb.DENY: ApprovalEventKind.DENIED,
    Verb.CANCEL: ApprovalEventKind.CANCELLED,
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person decides of a held call, and why; `values` are what was typed of those that must be confirmed.

    `channel` is where that was said, as the history calls it: `api`, `page` or `slack`.
    """

    verb: Verb
    note: str
    values: Mapping[str, str]
    channel: str


class Deciding:
    """Decides held calls, each once it is a line of the change log of the call's tenant."""

    def __init__(self, approver: Approver, note: Note, history: ApprovalHistory, clock: Clock) -> None:
        self._approver = approver
        self._note = note
        self._history = history
        self._clock = clock

    async def decide(self, person: Person, request: ApprovalRequest, verdict: Verdict) -> tuple[Approval, str]:
        """Decide; returns how the call stands, and the override token of one that is approved, "" for others.

        Raises ApprovalForbidden where the rule wants who decides signed in, DatabaseFault, and what `Approver` does.
        """
        require_proof(request, verdict.channel)
        action, domain = f"approvals:{verdict.verb.value}", str(Domain.of(request.scope))
        note = partial(self._note, person, action, request.id, domain)
        await note(printable(verdict.note)[:MOST_NOTE])
        decided = await done_or_noted(self._step(person, request, verdict), note)
        await self._remember(person, request, verdict)
        return decided

    async def _remember(self, person: Person, request: ApprovalRequest, verdict: Verdict) -> None:
        kind, reason = EVENTS[verdict.verb], printable(verdict.note)[:MOST_NOTE]
        event = ApprovalEvent.of(request, kind, person.id, verdict.channel, reason, self._clock.now())
        try:
            await self._history.append(ApprovalEvent.asked(request))
            await self._history.append(event)
        except DatabaseFault as fault:
            # it is decided, and on record: whoever decided must not be told that it was not
            _log.error("%s by %s is missing in the history of %s: %s", kind.value, person.id, request.id, fault)

    def _step(
        self, person: Person, request: ApprovalRequest, verdict: Verdict
    ) -> Callable[[], Awaitable[tuple[Approval, str]]]:
        approver = self._approver

        async def step() -> tuple[Approval, str]:
            match verdict.verb:
                case Verb.APPROVE:
                    return await approver.approve(request.id, person, verdict.note, verdict.values)
                case Verb.DENY:
                    return await approver.deny(request.id, person, verdict.note), ""
                case Verb.CANCEL:
                    return await approver.cancel(request.id, person, verdict.note), ""

        return step
