"""The approver's doors, and the one where an agent sees how its held call stands."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aegis_authz.control.http import HttpProblem, guarded, json_body, only, text_of
from aegis_authz.control.services import ControlServices
from aegis_authz.core.approval import Approval, ApprovalState
from aegis_authz.core.json_value import Json

_MAX_BODY_BYTES = 16 * 1024
_MAX_NAME = 128
_MAX_NOTE = 500


def approval_routes(services: ControlServices) -> list[Route]:
    """Everything under `/v1/approvals`; all but `{id}/status` for the bearer of the admin token."""

    async def listed(request: Request) -> Response:
        approvals = await services.approver.list(_state(request.query_params.get("state", "")))
        return JSONResponse({"approvals": [approval_view(approval) for approval in approvals]})

    async def shown(request: Request) -> Response:
        return JSONResponse(approval_view(await services.approver.get(request.path_params["id"])))

    async def approve(request: Request) -> Response:
        by, note = await _decision(request)
        approval, token = await services.approver.approve(request.path_params["id"], by, note)
        return JSONResponse({**approval_view(approval), "override_token": token})

    async def deny(request: Request) -> Response:
        by, note = await _decision(request)
        return JSONResponse(approval_view(await services.approver.deny(request.path_params["id"], by, note)))

    async def standing(request: Request) -> Response:
        approval = await services.approver.get(request.path_params["id"])
        request_ = approval.request
        return JSONResponse(
            {"id": request_.id, "state": approval.state.value, "expires_at": request_.expires_at},
            headers={"retry-after": "2"} if approval.state is ApprovalState.PENDING else None,
        )

    admin = services.admin_token
    return [
        Route("/v1/approvals", guarded(admin, listed), methods=["GET"]),
        Route("/v1/approvals/{id}", guarded(admin, shown), methods=["GET"]),
        Route("/v1/approvals/{id}/approve", guarded(admin, approve), methods=["POST"]),
        Route("/v1/approvals/{id}/deny", guarded(admin, deny), methods=["POST"]),
        Route("/v1/approvals/{id}/status", standing, methods=["GET"]),
    ]


def approval_view(approval: Approval) -> dict[str, Json]:
    """Everything an approver may see: all of it, for it is what will run."""
    request = approval.request
    return {
        "id": request.id,
        "state": approval.state.value,
        "org": request.org,
        "tenant": request.tenant,
        "agent": request.agent,
        "tool": request.tool,
        "action": request.action,
        "parameters": dict(request.parameters),
        "digest": request.digest,
        "revision": request.revision,
        "policies": list(request.policies),
        "groups": list(request.groups),
        "requested_at": request.requested_at,
        "expires_at": request.expires_at,
        "decided_by": approval.decided_by,
        "decided_at": approval.decided_at,
    }


async def _decision(request: Request) -> tuple[str, str]:
    body = await json_body(request, _MAX_BODY_BYTES)
    only(body, "by", "note")
    return text_of(body, "by", _MAX_NAME), text_of(body, "note", _MAX_NOTE, "")


def _state(text: str) -> ApprovalState | None:
    if not text:
        return None
    try:
        return ApprovalState(text)
    except ValueError:
        known = ", ".join(state.value for state in ApprovalState)
        raise HttpProblem(400, f"state must be one of {known}") from None
