"""Held calls, and deciding them."""

from __future__ import annotations

from typing import Annotated, cast

from pydantic import Field, JsonValue

from aegis_authz.api.model import Answer, Note, Request
from aegis_authz.api.standing import WORDS
from aegis_authz.core.approval import Approval, ApprovalProof, ApprovalState, ApprovalUse
from aegis_authz.core.approval_use import use_text


class DecisionRequest(Request):
    """Why it is decided so; who decides is whoever asks."""

    note: Note = ""


class ApprovalDecision(DecisionRequest):
    """An approval; `confirm` holds the values that the rule wants typed, by the names of their parameters."""

    confirm: dict[str, str] = Field(default_factory=dict)


class DenialRequest(Request):
    """Why it is denied. Whoever asked must learn what to change, so a denial has a reason."""

    note: Annotated[Note, Field(min_length=1)]


class OutcomeAnswer(Answer):
    """What became of a call: the status of its answer, 0 for none; when it was over, in seconds since the epoch; and
    whether anything was sent to the tool.
    """

    status: int
    time: float
    was_reached: bool


class UseAnswer(Answer):
    """The use of an approval: when its call was let through, and what became of that, null while nobody knows."""

    time: float
    outcome: OutcomeAnswer | None

    @classmethod
    def of(cls, use: ApprovalUse) -> UseAnswer:
        """The use as an answer shows it."""
        outcome = use.outcome
        if outcome is None:
            return cls(time=use.time, outcome=None)
        answer = OutcomeAnswer(status=outcome.status, time=outcome.time, was_reached=outcome.was_reached)
        return cls(time=use.time, outcome=answer)


class ApprovalAnswer(Answer):
    """Everything an approver may see: all of it, for it is what will run. `detail` says how it stands.

    `besides` is what reaches the tool beside the parameters: the address, on whose behalf, what no rule judges.
    Times are seconds since the epoch. `decided_by` is "" and `decided_at` null while nobody has decided; `approved_by`
    are those who have approved so far, of as many as `approvals` says. `proof` is `signed_in` where no button of a chat
    decides. `session` is the session or task that the call belongs to, "" for none. `use` is null until the call
    was let through.
    """

    id: str
    state: ApprovalState
    detail: str
    org: str
    tenant: str
    agent: str
    tool: str
    action: str
    parameters: dict[str, JsonValue]
    digest: str
    basis: str
    revision: str
    decision_id: str
    policies: tuple[str, ...]
    groups: tuple[str, ...]
    requested_at: float
    expires_at: float
    besides: dict[str, JsonValue]
    decided_by: str
    decided_at: float | None
    approvals: int
    approved_by: tuple[str, ...]
    confirm: tuple[str, ...]
    notify: tuple[str, ...]
    proof: ApprovalProof
    session: str
    use: UseAnswer | None

    @classmethod
    def of(cls, approval: Approval) -> ApprovalAnswer:
        """The approval as an answer shows it."""
        request = approval.request
        return cls(
            id=request.id,
            state=approval.state,
            detail=WORDS[approval.state] + _used(approval),
            org=request.scope.org,
            tenant=request.scope.tenant,
            agent=request.scope.agent,
            tool=request.tool,
            action=request.action,
            parameters=cast("dict[str, JsonValue]", dict(request.parameters)),
            digest=request.digest,
            basis=request.basis,
            revision=request.revision,
            decision_id=request.decision_id,
            policies=request.policies,
            groups=request.groups,
            requested_at=request.requested_at,
            expires_at=request.expires_at,
            besides=cast("dict[str, JsonValue]", dict(request.besides)),
            decided_by=approval.decided_by,
            decided_at=approval.decided_at,
            approvals=request.approvals,
            approved_by=approval.approved_by,
            confirm=request.confirm,
            notify=request.notify,
            proof=request.proof,
            session=request.session,
            use=None if approval.use is None else UseAnswer.of(approval.use),
        )


def _used(approval: Approval) -> str:
    return "" if approval.use is None else f" It was {use_text(approval.use)}."


class ApprovedAnswer(ApprovalAnswer):
    """An approval that was just given, and its one-time token, "" while more people must approve.

    The token is answered once and kept nowhere.
    """

    override_token: str

    @classmethod
    def with_token(cls, approval: Approval, token: str) -> ApprovedAnswer:
        """The approval and its token as an answer shows them."""
        return cls(**dict(ApprovalAnswer.of(approval)), override_token=token)


class ApprovalsAnswer(Answer):
    """A page of approvals, those that expire last first.

    `unreadable` are the ids of what is kept among them and cannot be read. `after` is what to ask for the next page
    with, "" at the end; a page may be empty and not the last.
    """

    approvals: tuple[ApprovalAnswer, ...]
    unreadable: tuple[str, ...]
    after: str


class StandingAnswer(Answer):
    """How a held call stands, for whoever knows its id, and in `detail` what to do. `expires_at` is seconds since the
    epoch.
    """

    id: str
    state: ApprovalState
    detail: str
    expires_at: float
