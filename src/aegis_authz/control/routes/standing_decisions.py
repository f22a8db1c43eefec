"""The routes of standing decisions: offered for a held call, saved by who may publish, listed, taken back."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query

from aegis_authz.api.model import Name
from aegis_authz.api.standing_decisions import (
    DraftAnswer,
    RevocationReason,
    StandingChangeAnswer,
    StandingDecisionAnswer,
    StandingDecisionRequest,
    StandingDecisionsAnswer,
)
from aegis_authz.approvals.deciding import Approver
from aegis_authz.approvals.rules import not_found
from aegis_authz.approvals.standing_decision import StandingDecision, StandingEffect, name_of
from aegis_authz.control.approvals.standing_decisions import MOST_BYTES, StandingDesk
from aegis_authz.control.gate import Asker, Authentication, Caller, Reach, needs, people_router
from aegis_authz.control.http import Wait
from aegis_authz.control.policies.status_board import StatusBoard
from aegis_authz.core import units
from aegis_authz.core.approval import Approval, ApprovalForbidden
from aegis_authz.core.person import Domain
from aegis_authz.core.scope import Scope
from aegis_authz.people.permissions import Permission, may
from aegis_authz.policy.language.rule import MOST_WAIVER_DAYS

ApprovalId = Annotated[units.ApprovalId, Path(description="The approval's id, `apr_...`.")]
Effect = Annotated[StandingEffect, Query(description="What becomes of calls like it.")]
Days = Annotated[int, Query(ge=1, le=MOST_WAIVER_DAYS, description="For how many days, today included.")]
ForSession = Annotated[bool, Query(description="Whether it is for calls of the same session or task alone.")]
DEFAULT_WAIT = 5.0
DecisionName = Annotated[Name, Path(description="The name of the document.")]


def standing_decision_routes(
    desk: StandingDesk, board: StatusBoard, approver: Approver, authentication: Authentication
) -> list[APIRouter]:
    """Everything under `/v1/standing`, and `/v1/approvals/{approval_id}/standing`."""
    people = people_router(authentication, 2 * MOST_BYTES)

    @people.get("/v1/approvals/{approval_id}/standing", dependencies=[needs(Permission.READ_APPROVALS, Reach.EACH)])
    async def draft_standing_decision(
        approval_id: ApprovalId,
        caller: Asker,
        effect: Effect = StandingEffect.ALLOW,
        days: Days = 7,
        for_session: ForSession = False,
    ) -> DraftAnswer:
        """Offer a document that allows, or refuses, calls like this one, to somebody who may decide it."""
        approval = await decidable(approver, approval_id, caller)
        offered = await desk.draft(approval, effect, days, for_session, caller.person)
        return DraftAnswer.of(offered.name, offered.text, offered.findings)

    @people.post("/v1/approvals/{approval_id}/standing", dependencies=[needs(Permission.PUBLISH_POLICIES)])
    async def save_standing_decision(
        approval_id: ApprovalId,
        decision: StandingDecisionRequest,
        caller: Asker,
        effect: Effect = StandingEffect.ALLOW,
        wait: Wait = DEFAULT_WAIT,
    ) -> StandingChangeAnswer:
        """Validate, lint and publish the document, by somebody who may decide the call and publish policy."""
        approval = await decidable(approver, approval_id, caller)
        published = await desk.save(approval, effect, decision.document, caller.person, decision.message)
        await board.activation(published.revision, wait)
        return StandingChangeAnswer(name=name_of(approval_id, effect), revision=published.revision)

    @people.get("/v1/standing", dependencies=[needs(Permission.READ_APPROVALS, Reach.EACH)])
    async def list_standing_decisions(caller: Asker) -> StandingDecisionsAnswer:
        """List what is published, of the tenants that the caller may see."""
        listed = [decision for decision in await desk.listed() if caller.may_for(_scope(decision))]
        return StandingDecisionsAnswer(standing=tuple(map(_answer, listed)))

    @people.post("/v1/standing/{name}/revoke", dependencies=[needs(Permission.PUBLISH_POLICIES)])
    async def revoke_standing_decision(
        name: DecisionName, why: RevocationReason, caller: Asker, wait: Wait = DEFAULT_WAIT
    ) -> StandingChangeAnswer:
        """Take one back: what is served next is without it."""
        published = await desk.revoke(name, caller.person, why.message)
        await board.activation(published.revision, wait)
        return StandingChangeAnswer(name=name, revision=published.revision)

    return [people]


async def decidable(approver: Approver, approval_id: units.ApprovalId, caller: Caller) -> Approval:
    """The approval, for who may decide of its tenant. Raises ApprovalNotFound, ApprovalForbidden, StoreDown."""
    approval = await approver.get(approval_id)
    domain = Domain.of(approval.request.scope)
    if not may(caller.person, Permission.READ_APPROVALS, domain):
        raise not_found(approval_id)
    if not may(caller.person, Permission.DECIDE_APPROVALS, domain):
        raise ApprovalForbidden(f"{caller.id} may not decide approvals of {approval.request.scope.tenant_path}")
    return approval


def _scope(decision: StandingDecision) -> Scope:
    return Scope.parse(decision.document.scope)


def _answer(decision: StandingDecision) -> StandingDecisionAnswer:
    first, last = decision.days
    return StandingDecisionAnswer(
        name=decision.document.title,
        effect=decision.effect.value,
        agent=decision.document.scope,
        tool=decision.rule.name,
        actions=decision.rule.actions,
        first=first.isoformat(),
        last=last.isoformat(),
        session=decision.session,
        owner=decision.document.owner or "",
        document=decision.text,
    )
