"""OPA's two routes: the bundle (OPA documentation "Bundle Service API") and the status reports."""

from __future__ import annotations

import re
from typing import Annotated

from fastapi import APIRouter, Body, Header, Response
from pydantic import JsonValue

from aegis_authz.control.bulletin import Bulletin, Live
from aegis_authz.control.http import HttpProblem, guarded_router
from aegis_authz.control.status_board import StatusBoard

BUNDLE_MEDIA_TYPE = "application/vnd.openpolicyagent.bundles"
"""By this type OPA knows that the server can long-poll."""

MAX_HOLD = 60.0
_FIRST_HOLD = 1.0
_MAX_REPORT_BYTES = 256 * 1024
_WAIT = re.compile(r"(?:^|[;,\s])wait=([0-9]{1,6})(?:\s*[;,]|\s*$)")

KnownRevision = Annotated[str, Header(alias="if-none-match", description="The revision that is known, in quotes.")]
Prefer = Annotated[str, Header(description="`wait=SECONDS`: hold the answer until there is another revision.")]
Report = Annotated[dict[str, JsonValue], Body(description="A report of OPA's status plugin.")]


def opa_routes(board: StatusBoard, bulletin: Bulletin, opa_token: str) -> list[APIRouter]:
    """`GET /bundles/aegis.tar.gz` and `POST /status`, for the bearer of the OPA token."""
    opa = guarded_router(opa_token, "opa", _MAX_REPORT_BYTES)

    @opa.get(
        "/bundles/aegis.tar.gz",
        response_class=Response,
        responses={
            200: {"description": "The signed bundle.", "content": {BUNDLE_MEDIA_TYPE: {}}},
            304: {"description": "The known revision is served still."},
        },
    )
    async def get_bundle(if_none_match: KnownRevision = "", prefer: Prefer = "") -> Response:
        """Get the signed bundle; may be held until there is another than the known one."""
        revision = if_none_match.strip().removeprefix("W/").strip('"')
        hold = _hold(prefer)
        if board.is_empty:
            # An answer makes OPA report, so that a control plane just started soon knows all of them.
            hold = min(hold, _FIRST_HOLD)
        live = await bulletin.other_than(revision, hold) if revision else bulletin.live
        if live is None:
            raise HttpProblem(503, "nothing has been published yet")
        if live.revision == revision:
            return Response(status_code=304, headers=_headers(live))
        return Response(live.bundle, headers=_headers(live), media_type=BUNDLE_MEDIA_TYPE)

    @opa.post("/status", status_code=204)
    async def report_status(report: Report) -> None:
        """Take a status report."""
        try:
            board.hear(report)
        except ValueError as fault:
            raise HttpProblem(400, str(fault)) from None

    return [opa]


def _hold(prefer: str) -> float:
    wait = _WAIT.search(prefer)
    return min(float(wait.group(1)), MAX_HOLD) if wait else 0.0


def _headers(live: Live) -> dict[str, str]:
    return {"etag": f'"{live.revision}"', "cache-control": "no-cache"}
