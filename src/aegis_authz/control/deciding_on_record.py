"""Decisions about held calls, whichever door they come through: the change log has a line before each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import partial

from aegis_authz.approvals.deciding import Approver
from aegis_authz.control.acts import Note, done_or_noted
from aegis_authz.core.approval import Approval, ApprovalRequest
from aegis_authz.core.change_line import MOST_NOTE
from aegis_authz.core.person import Domain, Person
from aegis_authz.policy.source.problems import printable


class Verb(Enum):
    """What a person can do about a held call, as the change log calls it."""

    APPROVE = "approve"
    DENY = "deny"
    CANCEL = "cancel"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a person decides of a held call, and why; `values` are what was typed of those that must be confirmed."""

    verb: Verb
    note: str
    values: Mapping[str, str]


class Deciding:
    """Decides held calls, each once it is a line of the change log of the call's tenant."""

    def __init__(self, approver: Approver, note: Note) -> None:
        self._approver = approver
        self._note = note

    async def decide(self, person: Person, request: ApprovalRequest, verdict: Verdict) -> tuple[Approval, str]:
        """Decide; returns how the call stands, and the override token of one that is approved, "" for others.

        Raises DatabaseFault, and what `Approver` does.
        """
        action, domain = f"approvals:{verdict.verb.value}", str(Domain.of(request.scope))
        note = partial(self._note, person, action, request.id, domain)
        await note(printable(verdict.note)[:MOST_NOTE])
        return await done_or_noted(self._step(person, request, verdict), note)

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
