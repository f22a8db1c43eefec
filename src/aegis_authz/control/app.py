"""The control plane as one Starlette application."""

from __future__ import annotations

import logging

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aegis_authz.control.approval_routes import approval_routes
from aegis_authz.control.http import HttpProblem, SecurityHeaders, on_http_problem, problem_response
from aegis_authz.control.opa_routes import opa_routes
from aegis_authz.control.policy_routes import policy_routes, problem_list
from aegis_authz.control.services import ControlServices
from aegis_authz.core.approval import ApprovalConflict, ApprovalNotFound
from aegis_authz.core.release import ReleasesFault, RevisionUnknown
from aegis_authz.policy.source.problems import PolicyErrors
from aegis_authz.ports.data_plane import StoreDown

_log = logging.getLogger(__name__)


def create_app(services: ControlServices) -> Starlette:
    """All doors: OPA's, the security engineer's, the approver's, and those open to everyone."""
    return Starlette(
        routes=[*opa_routes(services), *policy_routes(services), *approval_routes(services), *_open_routes(services)],
        middleware=[Middleware(SecurityHeaders)],
        exception_handlers={
            HttpProblem: on_http_problem,
            HTTPException: on_http_problem,
            PolicyErrors: _on_domain_fault,
            RevisionUnknown: _on_domain_fault,
            ApprovalNotFound: _on_domain_fault,
            ApprovalConflict: _on_domain_fault,
            StoreDown: _on_domain_fault,
            ReleasesFault: _on_domain_fault,
            Exception: on_http_problem,
        },
    )


def _open_routes(services: ControlServices) -> list[Route]:
    async def jwks(_: Request) -> Response:
        return JSONResponse({"keys": list(services.token_jwks)}, headers={"cache-control": "public, max-age=60"})

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        live = services.bulletin.live
        if live is None:
            raise HttpProblem(503, "nothing has been published yet")
        return JSONResponse({"status": "ok", "revision": live.revision})

    return [
        Route("/.well-known/jwks.json", jwks, methods=["GET"]),
        Route("/healthz", healthz, methods=["GET"]),
        Route("/readyz", readyz, methods=["GET"]),
    ]


async def _on_domain_fault(request: Request, fault: Exception) -> Response:
    return problem_response(_problem_of(request, fault))


def _problem_of(request: Request, fault: Exception) -> HttpProblem:
    match fault:
        case PolicyErrors():
            listed = problem_list(fault.problems)
            return HttpProblem(422, f"{len(listed)} problems; what was served before stays", problems=listed)
        case RevisionUnknown():
            return HttpProblem(404, "no such revision was published here")
        case ApprovalNotFound():
            return HttpProblem(404, "there is no such approval, or its time is long over")
        case ApprovalConflict():
            return HttpProblem(409, str(fault))
        case _:
            _log.error("%s %s: %s", request.method, request.url.path, fault)
            return HttpProblem(503, "the store behind the control plane cannot be used now; its log says more")
