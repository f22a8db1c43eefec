"""The security engineer's routes: publish, roll back, look."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

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
from aegis_authz.control.bulletin import Bulletin
from aegis_authz.control.http import Wait, guarded_router
from aegis_authz.control.publishing import Published, Publisher
from aegis_authz.control.routing import RouteKeeper
from aegis_authz.control.status_board import Activation, StatusBoard
from aegis_authz.core import units
from aegis_authz.core.release import MAX_SOURCE_BYTES, Sources

MAX_POLICY_BYTES = 3 * MAX_SOURCE_BYTES  # two folders, and what JSON adds to their texts
_DEFAULT_WAIT = 5.0

Revision = Annotated[units.Revision, Path(description="A revision of the change log.")]


def policy_routes(
    publisher: Publisher, board: StatusBoard, bulletin: Bulletin, keeper: RouteKeeper | None, admin_token: str
) -> list[APIRouter]:
    """Publishing, rolling back and looking at revisions, for the bearer of the admin token."""
    admin, uploads = guarded_router(admin_token, "admin"), guarded_router(admin_token, "admin", MAX_POLICY_BYTES)

    def current() -> str:
        live = bulletin.live
        return live.revision if live is not None else ""

    async def outcome(published: Published, wait: float) -> ReleaseAnswer:
        activation = await board.activation(published.revision, wait)
        if keeper is not None and activation.active_on:
            await keeper.until(published.revision, max(0.0, wait - activation.seconds))
        return _release(published, activation)

    @uploads.post("/v1/policies")
    async def publish(documents: PublishRequest, wait: Wait = _DEFAULT_WAIT) -> ReleaseAnswer:
        """Validate, compile, sign and serve documents. Those that have a problem change nothing (422)."""
        sources = Sources(documents.policies, documents.tools)
        return await outcome(await publisher.publish(sources, documents.by, documents.message), wait)

    @admin.post("/v1/rollback")
    async def rollback(target: RollbackRequest, wait: Wait = _DEFAULT_WAIT) -> ReleaseAnswer:
        """Serve the documents of an earlier revision again."""
        return await outcome(await publisher.rollback(units.Revision(target.revision), target.by, target.message), wait)

    @admin.get("/v1/revisions")
    async def list_revisions() -> RevisionsAnswer:
        """Show the change log, newest first."""
        changes = await publisher.changes()
        return RevisionsAnswer(current=current(), changes=tuple(ChangeEntry.of(change) for change in changes))

    @admin.get("/v1/revisions/{revision}")
    async def get_revision(revision: Revision) -> SourcesAnswer:
        """Show the documents of a revision."""
        return SourcesAnswer.of(revision, await publisher.sources(revision))

    @admin.get("/v1/status")
    async def get_status() -> StatusAnswer:
        """Show what is served and what each OPA runs."""
        return StatusAnswer(
            revision=current(),
            routes="" if keeper is None else keeper.current,
            opa=tuple(
                OpaEntry(
                    instance=state.instance,
                    version=state.version,
                    active_revision=state.active_revision,
                    trouble=state.trouble,
                )
                for state in board.states()
            ),
        )

    return [uploads, admin]


def _release(published: Published, activation: Activation) -> ReleaseAnswer:
    return ReleaseAnswer(
        revision=published.revision,
        previous=published.previous,
        changed=published.changed,
        tools_changed=published.tools_changed,
        active_on=activation.active_on,
        refused=dict(activation.refused),
        waiting_for=activation.waiting_for,
        seconds=round(activation.seconds, 3),
    )
