"""The pages on which whoever signed in reads a held call, whole, and decides it."""

from __future__ import annotations

from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from aegis_authz.approvals.comparison import past_of
from aegis_authz.approvals.deciding import Approver
from aegis_authz.control.approvals.deciding_on_record import Deciding, Verb, Verdict
from aegis_authz.control.approvals.waiting import Waiting, pending, recent
from aegis_authz.control.gate import Asker, Authentication, Caller, Reach, needs, people_router
from aegis_authz.control.http import HttpProblem, open_router
from aegis_authz.control.live import State, Streams, event_stream
from aegis_authz.control.pages import Form, Pages
from aegis_authz.control.pages.frame import frame_of
from aegis_authz.control.pages.waiting import WaitingFilter, waiting_page, waiting_rows
from aegis_authz.control.routes.approvals import visible_approval
from aegis_authz.control.routes.sessions import SignInDoor, source_of
from aegis_authz.core import units
from aegis_authz.core.approval import Approval, ApprovalConflict, ApprovalForbidden
from aegis_authz.evidence.search import MOST_WORD
from aegis_authz.people.permissions import Permission

ApprovalId = Annotated[units.ApprovalId, Path()]
Destination = Annotated[str, Query(pattern="^(apr_[0-9a-f]{34})?$", description="The approval to go on to.")]
Word = Annotated[str, Query(max_length=MOST_WORD)]
PageNumber = Annotated[int, Query(ge=1, le=10_000)]
_MOST_CALLS = 10


def waiting_filter(tenant: Word = "", agent: Word = "", tool: Word = "", page: PageNumber = 1) -> WaitingFilter:
    """The filter in the address of a list of held calls."""
    return WaitingFilter(tenant.strip(), agent.strip(), tool.strip(), page)


Choice = Annotated[WaitingFilter, Depends(waiting_filter)]
_VERBS = {"approve": Verb.APPROVE, "deny": Verb.DENY}


def approval_page_routes(
    approver: Approver,
    deciding: Deciding,
    authentication: Authentication,
    pages: Pages,
    door: SignInDoor,
    streams: Streams,
) -> list[APIRouter]:
    """Everything under `/approvals`."""
    people = people_router(authentication, takes_forms=True)
    _add_stream(people, Waiting(approver, door.monotonic), authentication, streams)

    async def sheet(approval: Approval, caller: Caller, request: Request, refusal: str) -> Response:
        past = past_of(approval.request, await recent(approver), _MOST_CALLS)
        return pages.sheet(approval, caller.person, request, refusal, past)

    @people.get("/approvals", include_in_schema=False, dependencies=[needs(Permission.READ_APPROVALS, Reach.EACH)])
    async def list_approvals_page(caller: Asker, request: Request, choice: Choice) -> Response:
        """List what waits for somebody."""
        return waiting_page(await waiting_for(approver, caller), choice, frame_of(request))

    @people.get(
        "/approvals/{approval_id}",
        include_in_schema=False,
        dependencies=[needs(Permission.READ_APPROVALS, Reach.EACH)],
    )
    async def show_approval_page(approval_id: ApprovalId, caller: Asker, request: Request) -> Response:
        """Show one held call."""
        return await sheet(await visible_approval(approver, approval_id, caller), caller, request, "")

    @people.post(
        "/approvals/{approval_id}",
        include_in_schema=False,
        dependencies=[needs(Permission.DECIDE_APPROVALS, Reach.EACH, is_logged=False)],
    )
    async def decide_on_page(approval_id: ApprovalId, caller: Asker, request: Request) -> Response:
        """Decide one, as the form says; a refusal is told on the page, with the call."""
        approval = await visible_approval(approver, approval_id, caller)
        form = await Form.read(request)
        pages.require_own(form, approval, caller.person, request)
        try:
            await deciding.decide(caller.person, approval.request, verdict_of(form))
        except (ApprovalConflict, ApprovalForbidden) as refusal:
            return await sheet(await visible_approval(approver, approval_id, caller), caller, request, str(refusal))
        return RedirectResponse(f"/approvals/{approval.request.id}", status_code=303)

    return [_open_page_routes(pages, door), people]


def _add_stream(people: APIRouter, waiting: Waiting, authentication: Authentication, streams: Streams) -> None:
    @people.get(
        "/approvals/events", include_in_schema=False, dependencies=[needs(Permission.READ_APPROVALS, Reach.EACH)]
    )
    async def stream_approvals(caller: Asker, request: Request, choice: Choice) -> Response:
        """Send the list anew whenever another call waits, or one does no more."""

        async def look() -> State:
            own = [approval for approval in await waiting.all() if caller.may_for(approval.request.scope)]
            state = [(approval.request.id, approval.approved_by) for approval in own]
            return State(state, lambda: waiting_rows(own, choice))

        return event_stream(
            streams, caller.id, "approvals", look, partial(still_reads, authentication, caller, request)
        )


def _open_page_routes(pages: Pages, door: SignInDoor) -> APIRouter:
    """What is open to everyone: signing in."""
    everyone = open_router()

    @everyone.get("/approvals/sign-in", include_in_schema=False)
    async def get_sign_in_page(to: Destination = "") -> Response:
        """Ask who is there."""
        return pages.sign_in(to)

    @everyone.post("/approvals/sign-in", include_in_schema=False)
    async def sign_in_on_page(request: Request, to: Destination = "") -> Response:
        """Sign in by password, and go on to where one came from."""
        pages.require_same_site(request)
        form = await Form.read(request)
        password = form.fields.get("password", "")
        opened = await door.sign_in.by_password(form.text("person"), password, source_of(request))
        response = RedirectResponse(f"/approvals/{to}" if to else "/", status_code=303)
        door.cookie.put(response, opened, door.now())
        return response

    return everyone


async def still_reads(authentication: Authentication, caller: Caller, request: Request) -> bool:
    """Whether who asked is still that person, with the same roles. Raises HttpProblem, DatabaseFault."""
    proven = await authentication.proven(request)
    return proven is not None and proven.person == caller.person


async def waiting_for(approver: Approver, caller: Caller) -> list[Approval]:
    """What the caller may see of all that waits."""
    return [approval for approval in await pending(approver) if caller.may_for(approval.request.scope)]


def verdict_of(form: Form) -> Verdict:
    """What a form says. Raises HttpProblem."""
    try:
        verb = _VERBS[form.text("verdict")]
    except KeyError:
        raise HttpProblem(400, "the form says neither approve nor deny") from None
    return Verdict(verb, form.text("note"), form.values(), "page")
