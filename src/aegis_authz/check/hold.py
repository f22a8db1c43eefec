"""A held request that is kept open: what is known of it while a person decides."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_authz.check.draft import Draft, Resumption
from aegis_authz.core.approval import Unattended
from aegis_authz.core.decision import Decision
from aegis_authz.core.reason import Reason
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import ApprovalId, Epoch, Seconds
from aegis_authz.ports.data_plane import HoldPlace
from aegis_authz.wire.envoy.answer import Answer


@dataclass(frozen=True, slots=True)
class Hold:
    """A request that policy wants kept open for `longest` seconds, whose `answer` is due when nobody decides.

    `is_final` says that the call is denied then. `draft` is that of the decision that held it, and on record.
    `expires_at` is when the approval's time is over, `place` the room that is taken for the request already, None for
    none: the wait itself takes it.
    """

    draft: Draft
    policies: tuple[str, ...]
    answer: Answer
    scope: Scope
    approval_id: ApprovalId
    longest: Seconds
    expires_at: Epoch
    is_final: bool
    place: HoldPlace | None

    @property
    def resumption(self) -> Resumption:
        """What the same request has of this hold when it goes on."""
        return Resumption(self.draft.decision_id, self.draft.time)


@dataclass(frozen=True, slots=True)
class Judgement:
    """The answer to a request, and the hold where it may wait; None where it is answered at once."""

    answer: Answer
    hold: Hold | None


def hold_of(decision: Decision, draft: Draft, answer: Answer) -> Hold | None:
    """The hold of a call that was held now, where the terms of its approval ask for one."""
    terms, settled, identity = draft.approval, draft.settled, draft.identity
    if decision.reason is not Reason.APPROVAL_NEEDED or terms is None or settled is None or identity is None:
        return None
    if draft.elicitation is not None or draft.resumes is not None or not settled.approval_id or terms.hold <= 0:
        return None
    return Hold(
        draft=draft,
        policies=decision.policies,
        answer=answer,
        scope=identity.scope,
        approval_id=settled.approval_id,
        longest=terms.hold,
        expires_at=settled.approval_expires_at,
        is_final=terms.unattended is Unattended.DENY,
        place=draft.place,
    )
