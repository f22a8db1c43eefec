"""The pages on which a second person looks at what somebody proposed, and confirms or withdraws it."""

from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aegis_authz.control.gate import Asker, Authentication, Caller, needs, people_router
from aegis_authz.control.pages import Form
from aegis_authz.control.pages.frame import frame_of
from aegis_authz.control.pages.policy_editing import ProposalSheet, proposal_page
from aegis_authz.control.policies.services import PolicyServices
from aegis_authz.control.policies.trials import NotTried
from aegis_authz.control.routes.policy_ground import WAIT, PolicyGround, may_publish
from aegis_authz.core.proposal import Proposal, ProposalConflict, ProposalForbidden
from aegis_authz.core.release import ReleaseConflict, Sources
from aegis_authz.people.permissions import Permission
from aegis_authz.policy.release_changes import ReleaseChange
from aegis_authz.policy.source.problems import PolicyErrors

ProposalId = Annotated[str, Path(pattern="^pub_[A-Za-z0-9_-]{1,80}$")]
_REFUSALS = (ProposalConflict, ProposalForbidden, ReleaseConflict, PolicyErrors, NotTried)


def proposal_page_routes(ground: PolicyGround, authentication: Authentication) -> list[APIRouter]:
    """`/policies/proposals/{proposal_id}`."""
    people = people_router(authentication, takes_forms=True)
    policies, pages = ground.policies, ground.pages

    async def sheet(proposal_id: str, caller: Caller, request: Request, refusal: str = "") -> Response:
        proposal, before = await policies.proposals.get(proposal_id)
        content = ProposalSheet(
            proposal=proposal,
            before=before,
            changes=await _changes(policies, proposal, before, caller.id),
            may_publish=may_publish(caller),
            seal=pages.seal_of(("proposal", proposal_id), caller.person, request),
            refusal=refusal,
        )
        return await asyncio.to_thread(proposal_page, content, frame_of(request))

    @people.get(
        "/policies/proposals/{proposal_id}", include_in_schema=False, dependencies=[needs(Permission.READ_POLICIES)]
    )
    async def show_proposal_page(proposal_id: ProposalId, caller: Asker, request: Request) -> Response:
        """Show one with what it changes."""
        return await sheet(proposal_id, caller, request)

    @people.post(
        "/policies/proposals/{proposal_id}/confirm",
        include_in_schema=False,
        dependencies=[needs(Permission.PUBLISH_POLICIES)],
    )
    async def confirm_proposal_on_page(proposal_id: ProposalId, caller: Asker, request: Request) -> Response:
        """Publish exactly what was shown; a refusal is told beside it."""
        form = await Form.read(request)
        pages.require_seal_of(form, ("proposal", proposal_id), caller.person, request)
        digest, note = form.fields.get("digest", ""), form.text("note")
        try:
            release = await policies.releases.confirm(proposal_id, digest, caller.person, note, WAIT)
        except _REFUSALS as refusal:
            return await sheet(proposal_id, caller, request, f"Nothing changed. {refusal}")
        return RedirectResponse(f"/policies/{release.published.revision}", status_code=303)

    @people.post(
        "/policies/proposals/{proposal_id}/withdraw",
        include_in_schema=False,
        dependencies=[needs(Permission.PUBLISH_POLICIES)],
    )
    async def withdraw_proposal_on_page(proposal_id: ProposalId, caller: Asker, request: Request) -> Response:
        """Have it wait no longer."""
        form = await Form.read(request)
        pages.require_seal_of(form, ("proposal", proposal_id), caller.person, request)
        try:
            await policies.proposals.withdraw(proposal_id, caller.person)
        except ProposalConflict as refusal:
            return await sheet(proposal_id, caller, request, f"Nothing changed. {refusal}")
        return RedirectResponse(f"/policies/proposals/{proposal_id}", status_code=303)

    return [people]


async def _changes(
    policies: PolicyServices, proposal: Proposal, before: Sources, by: str
) -> tuple[ReleaseChange, ...] | None:
    """What it differs in, None where that cannot be told."""
    try:
        former = await policies.readings.of_sources(before, by)
        own = await policies.readings.of_sources(proposal.sources, by)
    except PolicyErrors:
        return None
    return await policies.readings.changes(former, own, by)
