"""OPA's routes: bundle and configuration (OPA documentation "Bundle Service API") and the status reports."""

from __future__ import annotations

import re
from typing import Annotated, Any

from fastapi import APIRouter, Body, Header, Response
from pydantic import JsonValue

from aegis_authz.control.http import HttpProblem, guarded_router
from aegis_authz.control.policies.bulletin import Bulletin
from aegis_authz.control.policies.discovery import Discovery
from aegis_authz.control.policies.notice import Content, Notice, Posted
from aegis_authz.control.policies.status_board import StatusBoard
from aegis_authz.core.release import DISCOVERY_NAME

BUNDLE_MEDIA_TYPE = "application/vnd.openpolicyagent.bundles"
"""By this type OPA knows that the server can long-poll."""

MAX_HOLD = 60.0
_FIRST_HOLD = 1.0
_MAX_REPORT_BYTES = 256 * 1024
_WAIT = re.compile(r"(?:^|[;,\s])wait=([0-9]{1,6})(?:\s*[;,]|\s*$)")

_BUNDLE_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The signed bundle.", "content": {BUNDLE_MEDIA_TYPE: {}}},
    304: {"description": "The known one is served still."},
}

KnownTag = Annotated[str, Header(alias="if-none-match", description="The ETag of the bundle that is known.")]
Prefer = Annotated[str, Header(description="`wait=SECONDS`: hold the answer until there is another revision.")]
Report = Annotated[dict[str, JsonValue], Body(description="A report of OPA's status plugin.")]


def opa_routes(board: StatusBoard, bulletin: Bulletin, discovery: Discovery, opa_token: str) -> list[APIRouter]:
    """`GET /bundles/aegis.tar.gz`, `GET /bundles/opa.tar.gz` and `POST /status`, for the bearer of the OPA token."""
    opa = guarded_router(opa_token, "opa", _MAX_REPORT_BYTES)

    @opa.get(
        "/bundles/aegis.tar.gz",
        response_class=Response,
        responses=_BUNDLE_RESPONSES,
    )
    async def get_bundle(if_none_match: KnownTag = "", prefer: Prefer = "") -> Response:
        """Get the signed bundle; may be held until there is another than the known one."""
        return await answer(bulletin, if_none_match, prefer)

    @opa.get(f"/bundles/{DISCOVERY_NAME}.tar.gz", response_class=Response, responses=_BUNDLE_RESPONSES)
    async def get_configuration(if_none_match: KnownTag = "", prefer: Prefer = "") -> Response:
        """Get the configuration of OPA as a signed bundle; may be held until there is another than the known one."""
        return await answer(discovery, if_none_match, prefer)

    async def answer(notice: Notice[Content], if_none_match: str, prefer: str) -> Response:
        etag = if_none_match.strip().removeprefix("W/").strip('"')
        hold = _hold(prefer)
        if board.is_empty:
            # An answer makes OPA report, so that a control plane just started soon knows all of them.
            hold = min(hold, _FIRST_HOLD)
        content = await notice.other_than(etag, hold) if etag else notice.current
        if content is None:
            raise HttpProblem(503, "nothing has been published yet")
        if content.etag == etag:
            return Response(status_code=304, headers=_headers(content))
        return Response(content.bundle, headers=_headers(content), media_type=BUNDLE_MEDIA_TYPE)

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


def _headers(content: Posted) -> dict[str, str]:
    return {"etag": f'"{content.etag}"', "cache-control": "no-cache"}
