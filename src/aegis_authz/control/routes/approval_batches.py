"""Several held calls on one page: every one is shown, and each has a result of its own."""

from __future__ import annotations

from dataclasses import replace

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from aegis_authz.approvals.deciding import Approver
from aegis_authz.control.approvals.deciding_on_record import Deciding, Verdict
from aegis_authz.control.gate import Asker, Authentication, Caller, Reach, needs, people_router
from aegis_authz.control.pages import Form, Pages
from aegis_authz.control.pages.batch import RowResult, batch_page, marked, results_page
from aegis_authz.control.routes.approval_pages import verdict_of, waiting_for
from aegis_authz.control.routes.approvals import visible_approval
from aegis_authz.core.approval import Approval, ApprovalConflict, ApprovalForbidden, ApprovalNotFound
from aegis_authz.core.units import ApprovalId
from aegis_authz.notices.words import outcome
from aegis_authz.people.permissions import Permission
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.ports.database import DatabaseFault
from aegis_authz.ports.key_rings import KeyServiceDown


def approval_batch_routes(
    approver: Approver, deciding: Deciding, authentication: Authentication, pages: Pages
) -> list[APIRouter]:
    """`/approvals/batch`."""
    people = people_router(authentication, takes_forms=True)

    @people.get(
        "/approvals/batch", include_in_schema=False, dependencies=[needs(Permission.READ_APPROVALS, Reach.EACH)]
    )
    async def show_batch_page(caller: Asker, request: Request) -> Response:
        """Show what waits, each call whole."""
        return batch_page(pages, await waiting_for(approver, caller), caller.person, request)

    @people.post(
        "/approvals/batch",
        include_in_schema=False,
        dependencies=[needs(Permission.DECIDE_APPROVALS, Reach.EACH, is_logged=False)],
    )
    async def decide_batch(caller: Asker, request: Request) -> Response:
        """Decide what is marked, one after the other; a mark that was not shown to this person now decides nothing."""
        pages.require_same_site(request)
        form = await Form.read(request)
        verdict, marks = verdict_of(form), marked(form.fields)
        approvals = [await visible_approval(approver, ApprovalId(name), caller) for name in marks]
        for approval in approvals:  # before the first is decided
            form_of_one = replace(form, fields={"seal": marks[approval.request.id]})
            pages.require_own(form_of_one, approval, caller.person, request)
        results = [await _decided(deciding, approval, caller, verdict) for approval in approvals]
        return results_page(results, request)

    return [people]


async def _decided(deciding: Deciding, approval: Approval, caller: Caller, verdict: Verdict) -> RowResult:
    try:
        after, _ = await deciding.decide(caller.person, approval.request, verdict)
        return RowResult(after, outcome(after))
    except (ApprovalConflict, ApprovalForbidden) as refusal:
        return RowResult(approval, str(refusal))
    except ApprovalNotFound:
        return RowResult(approval, "There is no such approval any more.")
    except (StoreDown, DatabaseFault, KeyServiceDown):
        return RowResult(approval, "Not known to be decided: what is behind the control plane cannot be used now.")
