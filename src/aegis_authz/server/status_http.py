"""GET /readyz and GET /metrics of one worker."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aegis_authz.server.readiness import Readiness


def status_app(readiness: Readiness, registry: CollectorRegistry) -> Starlette:
    """The app. /readyz answers 200 or 503 and names each control; /metrics speaks Prometheus' text format."""

    async def readyz(_: Request) -> Response:
        controls = {name: trouble or "ok" for name, trouble in readiness.controls.items()}
        return JSONResponse({"ready": readiness.ready, "controls": controls}, 200 if readiness.ready else 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/readyz", readyz), Route("/metrics", metrics)])
