"""The pages of audit: search, timelines, and the proof of all logs."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aegis_authz.control.gate import Asker, Authentication, Caller, Reach, needs, people_router
from aegis_authz.control.http import HttpProblem
from aegis_authz.control.live import State, Streams, event_stream
from aegis_authz.control.pages import Form, Pages
from aegis_authz.control.pages.audit import (
    audit_page,
    proof_fragment,
    proof_view,
    reconciliation_view,
    timeline_page,
)
from aegis_authz.control.pages.frame import frame_of
from aegis_authz.control.records.live import LiveRecords
from aegis_authz.control.records.services import RecordServices
from aegis_authz.control.records.verifying import Verifier
from aegis_authz.control.routes.approval_pages import still_reads
from aegis_authz.control.routes.records import (
    NO_APPROVAL,
    ApprovalName,
    Before,
    answered,
    place_of,
    require_records,
    search_of,
)
from aegis_authz.core.person import WHOLE_MESH
from aegis_authz.core.units import Epoch
from aegis_authz.encoding.moments import read_moment
from aegis_authz.evidence.search import MOST_WORD
from aegis_authz.people.permissions import Permission, may

Word = Annotated[str, Query(max_length=MOST_WORD)]
ROWS = 100
"""Records on a page."""
_FORM = ("audit", "proof")


def audit_page_routes(
    records: RecordServices,
    streams: Streams,
    authentication: Authentication,
    pages: Pages,
    now: Callable[[], Epoch],
) -> list[APIRouter]:
    """Everything under `/audit`."""
    people, reads = people_router(authentication), needs(Permission.READ_RECORDS, Reach.EACH)
    desk = records.desk

    @people.get("/audit", include_in_schema=False, dependencies=[reads])
    async def show_audit_page(
        caller: Asker,
        request: Request,
        kind: Word = "",
        tenant: Word = "",
        agent: Word = "",
        tool: Word = "",
        effect: Word = "",
        reason: Word = "",
        approval: Word = "",
        since: Word = "",
        until: Word = "",
        before: Before = "",
    ) -> Response:
        """Search decisions and steps of approvals, newest first."""
        times = (_moment("since", since, now()) or 0.0, _moment("until", until, now()) or math.inf)
        tenant, agent, tool, approval = (word.strip() for word in (tenant, agent, tool, approval))
        search = search_of(kind, tenant, agent, tool, effect, reason, approval, *times)
        page = await answered(desk.search(caller, search, place_of(before), ROWS))
        words: dict[str, object] = {
            "kind": kind,
            "tenant": tenant,
            "agent": agent,
            "tool": tool,
            "effect": effect,
            "reason": reason,
            "approval": approval,
            "since": since,
            "until": until,
        }
        proof, reconciliation = _proofs(records, caller, lambda: pages.seal_of(_FORM, caller.person, request))
        return audit_page(search, words, page, not before, proof, reconciliation, records.live.gaps, frame_of(request))

    @people.get("/audit/approvals/{approval_id}", include_in_schema=False, dependencies=[reads])
    async def show_timeline_page(approval_id: ApprovalName, caller: Asker, request: Request) -> Response:
        """Tell the trail of an approval."""
        steps = await answered(desk.approval(caller, approval_id))
        if not steps:
            raise HttpProblem(404, NO_APPROVAL)
        return timeline_page(approval_id, steps, frame_of(request))

    return [people, _proof_form(records.verifier, records.live, streams, authentication, pages)]


def _proofs(
    records: RecordServices, caller: Caller, seal: Callable[[], str]
) -> tuple[dict[str, object] | None, dict[str, object] | None]:
    """The proof of all logs, and access logs held against them, for whoever may see all of it."""
    if not may(caller.person, Permission.VERIFY_RECORDS, WHOLE_MESH):
        return None, None
    reconciliation = None if records.reconciler is None else reconciliation_view(records.reconciler.state)
    return proof_view(records.verifier.last, seal()), reconciliation


def _proof_form(
    verifier: Verifier, live: LiveRecords, streams: Streams, authentication: Authentication, pages: Pages
) -> APIRouter:
    people = people_router(authentication, takes_forms=True)

    @people.get("/audit/events", include_in_schema=False, dependencies=[needs(Permission.VERIFY_RECORDS)])
    async def stream_proof(caller: Asker, request: Request) -> Response:
        """Send how the proof of all logs stands whenever that is another."""

        async def look() -> State:
            require_records(live)
            last, seal = verifier.last, pages.seal_of(_FORM, caller.person, request)
            return State(last, lambda: proof_fragment(last, seal))

        return event_stream(streams, caller.id, "proof", look, partial(still_reads, authentication, caller, request))

    @people.post("/audit/proof", include_in_schema=False, dependencies=[needs(Permission.VERIFY_RECORDS)])
    async def verify_on_page(caller: Asker, request: Request) -> Response:
        """Begin the proof of all logs."""
        pages.require_seal_of(await Form.read(request), _FORM, caller.person, request)
        require_records(live)
        verifier.start(caller.id)
        return RedirectResponse("/audit", status_code=303)

    return people


def _moment(name: str, text: str, now: Epoch) -> float:
    try:
        return read_moment(text.strip(), now) if text.strip() else 0.0
    except (ValueError, OverflowError) as fault:
        raise HttpProblem(400, f"{name}: {fault}") from None
