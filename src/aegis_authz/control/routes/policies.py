"""The security engineer's routes: publish, roll back, look."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from starlette.responses import JSONResponse, Response

from aegis_authz.api.policies import (
    ChangeEntry,
    OpaEntry,
    PublishRequest,
    ReleaseAnswer,
    RevisionsAnswer,
    RollbackRequest,
    SourcesAnswer,
    StatusAnswer,
)
from aegis_authz.api.proposals import ProposalAnswer
from aegis_authz.control.gate import Asker, Authentication, needs, people_router
from aegis_authz.control.http import Wait
from aegis_authz.control.policies.bulletin import Bulletin
from aegis_authz.control.policies.publishing import Publisher
from aegis_authz.control.policies.releasing import Release, ReleaseDesk
from aegis_authz.control.policies.routing import RouteKeeper
from aegis_authz.control.policies.status_board import OpaState, StatusBoard
from aegis_authz.core import units
from aegis_authz.core.proposal import Proposal, ProposalWaits
from aegis_authz.core.release import MAX_SOURCE_BYTES, Sources
from aegis_authz.people.permissions import Permission

MAX_POLICY_BYTES = 3 * MAX_SOURCE_BYTES  # two folders, their tests, and what JSON adds to all texts
_DEFAULT_WAIT = 5.0
_WAITS: dict[int | str, dict[str, Any]] = {
    202: {"model": ProposalAnswer, "description": "Another person must confirm it; what was served stays."}
}

Revision = Annotated[units.Revision, Path(description="A revision of the change log.")]


def policy_routes(
    desk: ReleaseDesk,
    publisher: Publisher,
    board: StatusBoard,
    bulletin: Bulletin,
    keeper: RouteKeeper | None,
    authentication: Authentication,
) -> list[APIRouter]:
    """Publishing, rolling back and looking at revisions, for those who may."""
    people, uploads = people_router(authentication), people_router(authentication, MAX_POLICY_BYTES)

    async def proposed(proposal: Proposal) -> Response:
        before = await publisher.sources(proposal.base) if proposal.base else Sources({}, {})
        return JSONResponse(ProposalAnswer.of(proposal, before).model_dump(mode="json"), 202)

    @uploads.post(
        "/v1/policies",
        dependencies=[needs(Permission.PUBLISH_POLICIES)],
        response_model=ReleaseAnswer,
        responses=_WAITS,
    )
    async def publish(documents: PublishRequest, caller: Asker, wait: Wait = _DEFAULT_WAIT) -> ReleaseAnswer | Response:
        """Test, validate, lint, compile, sign and serve documents. Those that have a problem change nothing (422)."""
        sources = Sources(documents.policies, documents.tools)
        try:
            return _release(
                await desk.publish(
                    sources, documents.tests, caller.person, documents.message, wait, accept=documents.accept
                )
            )
        except ProposalWaits as waits:
            return await proposed(waits.proposal)

    @people.post(
        "/v1/rollback",
        dependencies=[needs(Permission.PUBLISH_POLICIES)],
        response_model=ReleaseAnswer,
        responses=_WAITS,
    )
    async def rollback(target: RollbackRequest, caller: Asker, wait: Wait = _DEFAULT_WAIT) -> ReleaseAnswer | Response:
        """Serve the documents of an earlier revision again, whose policy tests must pass."""
        try:
            revision = units.Revision(target.revision)
            return _release(await desk.rollback(revision, caller.person, target.message, wait, target.accept))
        except ProposalWaits as waits:
            return await proposed(waits.proposal)

    _add_looks(people, publisher, board, bulletin, keeper)
    return [uploads, people]


def _add_looks(
    people: APIRouter, publisher: Publisher, board: StatusBoard, bulletin: Bulletin, keeper: RouteKeeper | None
) -> None:
    """The routes that show what was published, and what is served."""

    def current() -> str:
        live = bulletin.live
        return live.revision if live is not None else ""

    @people.get("/v1/revisions", dependencies=[needs(Permission.READ_POLICIES)])
    async def list_revisions() -> RevisionsAnswer:
        """Show the change log, newest first."""
        changes = await publisher.changes()
        return RevisionsAnswer(current=current(), changes=tuple(ChangeEntry.of(change) for change in changes))

    @people.get("/v1/revisions/{revision}", dependencies=[needs(Permission.READ_POLICIES)])
    async def get_revision(revision: Revision) -> SourcesAnswer:
        """Show the documents of a revision, and their policy tests."""
        return SourcesAnswer.of(revision, await publisher.sources(revision), await publisher.tests(revision))

    @people.get("/v1/status", dependencies=[needs(Permission.READ_POLICIES)])
    async def get_status() -> StatusAnswer:
        """Show what is served and what each OPA runs."""
        return StatusAnswer(
            revision=current(),
            routes="" if keeper is None else keeper.current,
            opa=tuple(_entry(state) for state in board.states()),
        )


def _entry(state: OpaState) -> OpaEntry:
    return OpaEntry(
        instance=state.instance,
        version=state.version,
        active_revision=state.active_revision,
        trouble=state.trouble,
    )


def _release(release: Release) -> ReleaseAnswer:
    published, activation = release.published, release.activation
    return ReleaseAnswer(
        revision=published.revision,
        previous=published.previous,
        changed=published.changed,
        tools_changed=published.tools_changed,
        active_on=activation.active_on,
        refused=dict(activation.refused),
        waiting_for=activation.waiting_for,
        seconds=round(activation.seconds, 3),
        cautions=release.cautions,
    )
