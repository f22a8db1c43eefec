"""The approver's routes, and the one where an agent sees how its held call stands."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, Response

from aegis_authz.api.approvals import ApprovalAnswer, ApprovalsAnswer, ApprovedAnswer, DecisionRequest, StandingAnswer
from aegis_authz.api.standing import WORDS
from aegis_authz.approvals.deciding import Approver
from aegis_authz.control.http import guarded_router, open_router
from aegis_authz.core import units
from aegis_authz.core.approval import ApprovalState

ApprovalId = Annotated[units.ApprovalId, Path(description="The approval's id, `apr_...`.")]
Limit = Annotated[int, Query(ge=1, le=200, description="The most approvals of the page.")]
After = Annotated[
    str,
    Query(pattern=r"^([0-9]{1,16}-[a-z0-9_]{1,100})?$", description="`after` of the page before; empty for the first."),
]
StateFilter = Annotated[ApprovalState | None, Query(description="Only those in this state.")]


def approval_routes(approver: Approver, admin_token: str) -> list[APIRouter]:
    """Everything under `/v1/approvals`; all but `{approval_id}/status` for the bearer of the admin token."""
    admin, everyone = guarded_router(admin_token, "admin"), open_router()

    @admin.get("/v1/approvals")
    async def list_approvals(state: StateFilter = None, limit: Limit = 50, after: After = "") -> ApprovalsAnswer:
        """List a page of approvals, those that expire last first."""
        page = await approver.page(state, limit, after)
        approvals = tuple(ApprovalAnswer.of(approval) for approval in page.approvals)
        return ApprovalsAnswer(approvals=approvals, unreadable=page.unreadable, after=page.after)

    @admin.get("/v1/approvals/{approval_id}")
    async def get_approval(approval_id: ApprovalId) -> ApprovalAnswer:
        """Show exactly what would run."""
        return ApprovalAnswer.of(await approver.get(approval_id))

    @admin.post("/v1/approvals/{approval_id}/approve")
    async def approve(approval_id: ApprovalId, decision: DecisionRequest) -> ApprovedAnswer:
        """Approve a pending call; the answer holds its one-time override token."""
        approval, token = await approver.approve(approval_id, decision.by, decision.note)
        return ApprovedAnswer.with_token(approval, token)

    @admin.post("/v1/approvals/{approval_id}/deny")
    async def deny(approval_id: ApprovalId, decision: DecisionRequest) -> ApprovalAnswer:
        """Deny a pending call."""
        return ApprovalAnswer.of(await approver.deny(approval_id, decision.by, decision.note))

    @admin.post("/v1/approvals/{approval_id}/cancel")
    async def cancel(approval_id: ApprovalId, decision: DecisionRequest) -> ApprovalAnswer:
        """Take an approval back that is pending, or granted and not used."""
        return ApprovalAnswer.of(await approver.cancel(approval_id, decision.by, decision.note))

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

    return [admin, everyone]
