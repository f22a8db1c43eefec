"""The route of the change log."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from aegis_authz.api.people import ChangeLineAnswer, ChangeLinesAnswer
from aegis_authz.control.gate import Asker, Authentication, Caller, Reach, needs, people_router
from aegis_authz.core.change_line import ChangeLine
from aegis_authz.core.person import Domain
from aegis_authz.people.permissions import Permission, may
from aegis_authz.ports.change_log import ChangeLog

After = Annotated[int, Query(ge=0, le=2**31 - 1, description="`after` of the page before, 0 for the first.")]
Limit = Annotated[int, Query(ge=1, le=1000, description="The most lines that are looked at.")]


def change_routes(changes: ChangeLog, authentication: Authentication) -> list[APIRouter]:
    """`GET /v1/changes`, for those who may."""
    people = people_router(authentication)

    @people.get("/v1/changes", dependencies=[needs(Permission.READ_CHANGES, Reach.EACH)])
    async def list_changes(caller: Asker, after: After = 0, limit: Limit = 200) -> ChangeLinesAnswer:
        """Show who did what, when and why, in the order of writing."""
        lines = await changes.lines(after, limit)
        visible = tuple(ChangeLineAnswer.of(line) for line in lines if _is_visible(caller, line))
        return ChangeLinesAnswer(lines=visible, after=lines[-1].number if len(lines) == limit else 0)

    return [people]


def _is_visible(caller: Caller, line: ChangeLine) -> bool:
    return may(caller.person, caller.permission, Domain.parse(line.act.domain))
