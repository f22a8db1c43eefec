"""The pages of decisions: what was answered, as it comes, and why."""

from __future__ import annotations

import math
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from aegis_authz.control.gate import Asker, Authentication, Caller, Reach, needs, people_router
from aegis_authz.control.http import HttpProblem
from aegis_authz.control.pages.decisions import Doors, decision_page, decisions_page
from aegis_authz.control.pages.frame import frame_of
from aegis_authz.control.records.reading import RecordDesk
from aegis_authz.control.routes.records import NO_DECISION, Before, DecisionId, answered, place_of, search_of
from aegis_authz.core.person import WHOLE_MESH
from aegis_authz.evidence.search import MOST_WORD, RecordSearch
from aegis_authz.people.permissions import Permission, may, may_somewhere

Word = Annotated[str, Query(max_length=MOST_WORD)]
ROWS = 50
"""Decisions on a page."""


def decision_page_routes(desk: RecordDesk, authentication: Authentication) -> list[APIRouter]:
    """`/decisions`, and one of them."""
    people, reads = people_router(authentication), needs(Permission.READ_RECORDS, Reach.EACH)

    @people.get("/decisions", include_in_schema=False, dependencies=[reads])
    async def list_decisions_page(
        caller: Asker,
        request: Request,
        tenant: Word = "",
        agent: Word = "",
        tool: Word = "",
        effect: Word = "",
        reason: Word = "",
        before: Before = "",
    ) -> Response:
        """List decisions, newest first."""
        search = decisions_of(tenant, agent, tool, effect, reason)
        page = await answered(desk.search(caller, search, place_of(before), ROWS))
        return decisions_page(search, page, not before, frame_of(request), is_live=False)

    @people.get("/decisions/{decision_id}", include_in_schema=False, dependencies=[reads])
    async def show_decision_page(decision_id: DecisionId, caller: Asker, request: Request) -> Response:
        """Say why a call was answered as it was."""
        trail = await answered(desk.decision(caller, decision_id))
        if trail is None:
            raise HttpProblem(404, NO_DECISION)
        return decision_page(trail, _doors(caller), frame_of(request))

    return [people]


def decisions_of(tenant: str, agent: str, tool: str, effect: str, reason: str) -> RecordSearch:
    """The search for decisions of that filter. Raises HttpProblem."""
    return search_of("decision", tenant.strip(), agent.strip(), tool.strip(), effect, reason, "", 0.0, math.inf)


def _doors(caller: Caller) -> Doors:
    person = caller.person
    return Doors(
        approvals=may_somewhere(person, Permission.READ_APPROVALS),
        playground=may(person, Permission.READ_POLICIES, WHOLE_MESH),
        proof=may(person, Permission.VERIFY_RECORDS, WHOLE_MESH),
    )
