"""The approver's routes, and the one where an agent sees how its held call stands."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from aegis_authz.api.approvals import (
    ApprovalAnswer,
    ApprovalDecision,
    ApprovalsAnswer,
    ApprovedAnswer,
    DecisionRequest,
    DenialRequest,
    StandingAnswer,
)
from aegis_authz.api.standing import WORDS
from aegis_authz.approvals.deciding import Approver
from aegis_authz.approvals.rules import not_found
from aegis_authz.control.approvals.deciding_on_record import Deciding, Verb, Verdict
from aegis_authz.control.gate import Asker, Authentication, Caller, Reach, needs, people_router
from aegis_authz.control.http import open_router
from aegis_authz.core import units
from aegis_authz.core.approval import Approval, ApprovalState
from aegis_authz.people.permissions import Permission

ApprovalId = Annotated[units.ApprovalId, Path(description="The approval's id, `apr_...`.")]
Limit = Annotated[int, Query(ge=1, le=200, description="The most approvals of the page.")]
After = Annotated[
    str,
    Query(pattern=r"^([0-9]{1,16}-[a-z0-9_]{1,100})?$", description="`after` of the page before; empty for the first."),
]
StateFilter = Annotated[ApprovalState | None, Query(description="Only those in this state.")]


def approval_routes(approver: Approver, deciding: Deciding, authentication: Authentication) -> list[APIRouter]:
    """Everything under `/v1/approvals`; all but `{approval_id}/status` for those who may."""
    people, everyone = people_router(authentication), open_router()

    @people.get("/v1/approvals", dependencies=[needs(Permission.READ_APPROVALS, Reach.EACH)])
    async def list_approvals(
        caller: Asker, state: StateFilter = None, limit: Limit = 50, after: After = ""
    ) -> ApprovalsAnswer:
        """List a page of approvals, those that expire last first."""
        page = await approver.page(state, limit, after)
        visible = [approval for approval in page.approvals if caller.may_for(approval.request.scope)]
        approvals = tuple(ApprovalAnswer.of(approval) for approval in visible)
        unreadable = page.unreadable if caller.sees_all else ()
        return ApprovalsAnswer(approvals=approvals, unreadable=unreadable, after=page.after)

    @people.get("/v1/approvals/{approval_id}", dependencies=[needs(Permission.READ_APPROVALS, Reach.EACH)])
    async def get_approval(approval_id: ApprovalId, caller: Asker) -> ApprovalAnswer:
        """Show exactly what would run."""
        return ApprovalAnswer.of(await visible_approval(approver, approval_id, caller))

    _add_decisions(people, approver, deciding)

    @everyone.get("/v1/approvals/{approval_id}/status")
    async def get_approval_status(approval_id: ApprovalId, response: Response) -> StandingAnswer:
        """Say how a held call stands and what to do, and nothing else of it."""
        approval = await approver.get(approval_id)
        if approval.state is ApprovalState.PENDING:
            response.headers["retry-after"] = "2"
        return StandingAnswer(
            id=approval.request.id,
            state=approval.state,
            detail=WORDS[approval.state],
            expires_at=approval.request.expires_at,
        )

    return [people, everyone]


def _add_decisions(people: APIRouter, approver: Approver, deciding: Deciding) -> None:
    """The routes by which a person decides; each writes its own line of the change log, in the call's tenant."""
    decides = needs(Permission.DECIDE_APPROVALS, Reach.EACH, is_logged=False)

    @people.post("/v1/approvals/{approval_id}/approve", dependencies=[decides])
    async def approve(approval_id: ApprovalId, decision: ApprovalDecision, caller: Asker) -> ApprovedAnswer:
        """Approve a pending call; the answer holds its one-time override token, once enough people have approved."""
        request = (await visible_approval(approver, approval_id, caller)).request
        verdict = Verdict(Verb.APPROVE, decision.note, decision.confirm, "api")
        approval, token = await deciding.decide(caller.person, request, verdict)
        return ApprovedAnswer.with_token(approval, token)

    @people.post("/v1/approvals/{approval_id}/deny", dependencies=[decides])
    async def deny(approval_id: ApprovalId, decision: DenialRequest, caller: Asker) -> ApprovalAnswer:
        """Deny a pending call."""
        request = (await visible_approval(approver, approval_id, caller)).request
        approval, _ = await deciding.decide(caller.person, request, Verdict(Verb.DENY, decision.note, {}, "api"))
        return ApprovalAnswer.of(approval)

    @people.post("/v1/approvals/{approval_id}/cancel", dependencies=[decides])
    async def cancel(approval_id: ApprovalId, decision: DecisionRequest, caller: Asker) -> ApprovalAnswer:
        """Take an approval back that is pending, or granted and not used."""
        request = (await visible_approval(approver, approval_id, caller)).request
        approval, _ = await deciding.decide(caller.person, request, Verdict(Verb.CANCEL, decision.note, {}, "api"))
        return ApprovalAnswer.of(approval)


async def visible_approval(approver: Approver, approval_id: units.ApprovalId, caller: Caller) -> Approval:
    """The approval; to who may not see its tenant it is as if there were none."""
    approval = await approver.get(approval_id)
    if not caller.may_for(approval.request.scope):
        raise not_found(approval_id)
    return approval
