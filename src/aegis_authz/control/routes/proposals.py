"""The routes of publications that wait for a second person."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from aegis_authz.api.proposals import (
    ConfirmationRequest,
    ProposalAnswer,
    ProposalDocumentsAnswer,
    ProposalsAnswer,
    PublishedProposalAnswer,
    WithdrawalRequest,
)
from aegis_authz.control.gate import Asker, Authentication, needs, people_router
from aegis_authz.control.policies.proposing import ProposalDesk
from aegis_authz.control.policies.releasing import ReleaseDesk
from aegis_authz.people.permissions import Permission

ProposalId = Annotated[str, Path(description="The proposal's id, `pub_...`.")]


def proposal_routes(desk: ProposalDesk, releases: ReleaseDesk, authentication: Authentication) -> list[APIRouter]:
    """Everything under `/v1/proposals`, for those who may read or publish policies."""
    people = people_router(authentication)

    @people.get("/v1/proposals", dependencies=[needs(Permission.READ_POLICIES)])
    async def list_proposals() -> ProposalsAnswer:
        """List the publications that wait for a second person, the newest first."""
        proposals = [await desk.get(proposal.id) for proposal in await desk.waiting()]
        return ProposalsAnswer(proposals=tuple(ProposalAnswer.of(*proposal) for proposal in proposals))

    @people.get("/v1/proposals/{proposal_id}", dependencies=[needs(Permission.READ_POLICIES)])
    async def get_proposal(proposal_id: ProposalId) -> ProposalDocumentsAnswer:
        """Show all documents of a proposal, and those in whose place they would be."""
        return ProposalDocumentsAnswer.whole(*await desk.get(proposal_id))

    @people.post("/v1/proposals/{proposal_id}/confirm", dependencies=[needs(Permission.PUBLISH_POLICIES)])
    async def confirm_proposal(
        proposal_id: ProposalId, confirmation: ConfirmationRequest, caller: Asker
    ) -> PublishedProposalAnswer:
        """Publish what another person proposed: exactly what has this digest."""
        release = await releases.confirm(
            proposal_id, confirmation.digest, caller.person, confirmation.note, 0.0, confirmation.accept
        )
        return PublishedProposalAnswer(revision=release.published.revision, previous=release.published.previous)

    @people.post("/v1/proposals/{proposal_id}/withdraw", dependencies=[needs(Permission.PUBLISH_POLICIES)])
    async def withdraw_proposal(
        proposal_id: ProposalId, withdrawal: WithdrawalRequest, caller: Asker
    ) -> ProposalAnswer:
        """Have a proposal wait no longer."""
        await desk.withdraw(proposal_id, caller.person)
        return ProposalAnswer.of(*await desk.get(proposal_id))

    return [people]
