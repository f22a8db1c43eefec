"""The page on which a standing decision is read, edited and saved."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from aegis_authz.approvals.deciding import Approver
from aegis_authz.approvals.standing_decision import NotStanding, StandingEffect
from aegis_authz.control.approvals.standing_decisions import MOST_BYTES, StandingDesk
from aegis_authz.control.gate import Asker, Authentication, Reach, needs, people_router
from aegis_authz.control.http import HttpProblem, Wait
from aegis_authz.control.pages import Form, Pages
from aegis_authz.control.pages.frame import frame_of
from aegis_authz.control.pages.standing import StandingSheet, standing_page
from aegis_authz.control.policies.status_board import StatusBoard
from aegis_authz.control.routes.standing_decisions import (
    DEFAULT_WAIT,
    ApprovalId,
    Days,
    Effect,
    ForSession,
    decidable,
)
from aegis_authz.core.approval import ApprovalForbidden
from aegis_authz.people.permissions import Permission
from aegis_authz.policy.source.problems import PolicyErrors

_MOST_FORM = 6 * MOST_BYTES + 16 * 1024
"""Bytes of a form with the largest document: a line's end of it is six (%0D%0A), and the other fields are small."""
_REFUSALS = (NotStanding, ApprovalForbidden, PolicyErrors)


def standing_page_routes(
    desk: StandingDesk, board: StatusBoard, approver: Approver, authentication: Authentication, pages: Pages
) -> list[APIRouter]:
    """`/approvals/{approval_id}/standing`."""
    people = people_router(authentication, takes_forms=True)

    @people.get(
        "/approvals/{approval_id}/standing",
        include_in_schema=False,
        dependencies=[needs(Permission.READ_APPROVALS, Reach.EACH)],
    )
    async def show_standing_page(
        approval_id: ApprovalId,
        caller: Asker,
        request: Request,
        effect: Effect = StandingEffect.ALLOW,
        days: Days = 7,
        for_session: ForSession = False,
    ) -> Response:
        """Offer a document."""
        approval = await decidable(approver, approval_id, caller)
        seal, frame = pages.seal(approval, caller.person, request), frame_of(request)
        try:
            offered = await desk.draft(approval, effect, days, for_session, caller.person)
        except _REFUSALS as refusal:
            return standing_page(StandingSheet(approval, caller.person, effect, seal, frame, refusal=str(refusal)))
        findings = tuple(map(str, offered.findings))
        return standing_page(
            StandingSheet(approval, caller.person, effect, seal, frame, document=offered.text, findings=findings)
        )

    @people.post(
        "/approvals/{approval_id}/standing",
        include_in_schema=False,
        dependencies=[needs(Permission.PUBLISH_POLICIES)],
    )
    async def save_standing_on_page(
        approval_id: ApprovalId, caller: Asker, request: Request, wait: Wait = DEFAULT_WAIT
    ) -> Response:
        """Publish the document of the form; a refusal is told beside it."""
        approval = await decidable(approver, approval_id, caller)
        form = await Form.read(request, _MOST_FORM)
        pages.require_own(form, approval, caller.person, request)
        seal, frame = pages.seal(approval, caller.person, request), frame_of(request)
        effect, text = _effect(form), form.fields.get("document", "").replace("\r\n", "\n")
        try:
            published = await desk.save(approval, effect, text, caller.person, form.text("note"))
        except _REFUSALS as refusal:
            return standing_page(
                StandingSheet(approval, caller.person, effect, seal, frame, document=text, refusal=str(refusal))
            )
        await board.activation(published.revision, wait)
        saved = f"Published: it stands since revision {published.revision}."
        return standing_page(StandingSheet(approval, caller.person, effect, seal, frame, saved=saved))

    return [people]


def _effect(form: Form) -> StandingEffect:
    try:
        return StandingEffect(form.text("effect"))
    except ValueError:
        raise HttpProblem(400, "the form says neither allow nor deny") from None
