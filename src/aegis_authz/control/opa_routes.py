"""OPA's two doors: the bundle (OPA documentation "Bundle Service API") and the status reports."""

from __future__ import annotations

import re

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aegis_authz.control.bulletin import Live
from aegis_authz.control.http import HttpProblem, guarded, json_body
from aegis_authz.control.services import ControlServices

BUNDLE_MEDIA_TYPE = "application/vnd.openpolicyagent.bundles"
"""By this type OPA knows that the server can long-poll."""

MAX_HOLD = 60.0
_FIRST_HOLD = 1.0
_MAX_REPORT_BYTES = 256 * 1024
_WAIT = re.compile(r"(?:^|[;,\s])wait=([0-9]{1,6})(?:\s*[;,]|\s*$)")


def opa_routes(services: ControlServices) -> list[Route]:
    """`GET /bundles/aegis.tar.gz` and `POST /status`, for the bearer of the OPA token."""

    async def bundle(request: Request) -> Response:
        known = _known_revision(request)
        hold = _hold(request)
        if services.board.is_empty:
            # An answer makes OPA report, so that a control plane just started soon knows all of them.
            hold = min(hold, _FIRST_HOLD)
        live = await services.bulletin.other_than(known, hold) if known else services.bulletin.live
        if live is None:
            raise HttpProblem(503, "nothing has been published yet")
        if live.revision == known:
            return Response(status_code=304, headers=_headers(live))
        return Response(live.bundle, headers=_headers(live), media_type=BUNDLE_MEDIA_TYPE)

    async def status(request: Request) -> Response:
        report = await json_body(request, _MAX_REPORT_BYTES)
        try:
            services.board.hear(report)
        except ValueError as fault:
            raise HttpProblem(400, str(fault)) from None
        return Response(status_code=204)

    return [
        Route("/bundles/aegis.tar.gz", guarded(services.opa_token, bundle), methods=["GET"]),
        Route("/status", guarded(services.opa_token, status), methods=["POST"]),
    ]


def _known_revision(request: Request) -> str:
    return request.headers.get("if-none-match", "").strip().removeprefix("W/").strip('"')


def _hold(request: Request) -> float:
    asked = _WAIT.search(request.headers.get("prefer", ""))
    return min(float(asked.group(1)), MAX_HOLD) if asked else 0.0


def _headers(live: Live) -> dict[str, str]:
    return {"etag": f'"{live.revision}"', "cache-control": "no-cache"}
