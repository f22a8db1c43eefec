"""GET /readyz and GET /metrics of one worker."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uvicorn
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aegis_authz.core.address import read_tcp_address
from aegis_authz.server.head_deadline import HeadDeadline
from aegis_authz.server.readiness import Readiness

_TICK_SECONDS = 1.0
_GRACE_SECONDS = 3


class StatusServer(uvicorn.Server):
    """Serves the app until `end`; signals are its worker's business."""

    def __init__(self, app: Starlette, tls: ssl.SSLContext | None = None, most_connections: int | None = None) -> None:
        """Without `tls` it speaks HTTP. Beyond `most_connections` it answers 503, None is for no bound."""
        super().__init__(
            uvicorn.Config(
                app,
                http=HeadDeadline,
                log_config=None,
                access_log=False,
                lifespan="off",
                server_header=False,
                proxy_headers=False,  # nobody stands before it who could say rightly where a request is from
                ssl_context_factory=None if tls is None else lambda _config, _default: tls,
                limit_concurrency=most_connections,
                timeout_graceful_shutdown=_GRACE_SECONDS,
            )
        )
        self._ends = asyncio.Event()

    async def main_loop(self) -> None:
        """Tick once a second and not ten times: an idle worker sleeps."""
        ends = asyncio.ensure_future(self._ends.wait())
        while not await self.on_tick(0):
            await asyncio.wait({ends}, timeout=_TICK_SECONDS)
        ends.cancel()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """None: the worker has its own."""
        yield

    def end(self) -> None:
        """Answer what is being asked, and stop."""
        self.should_exit = True
        self._ends.set()


def status_app(readiness: Readiness, registry: CollectorRegistry) -> Starlette:
    """The app. /readyz answers 200 or 503 and names each control; /metrics speaks the format that is asked for.

    OpenMetrics, which alone has exemplars, or Prometheus' text format.
    """

    async def readyz(_: Request) -> Response:
        controls = {name: trouble or "ok" for name, trouble in readiness.controls.items()}
        return JSONResponse({"ready": readiness.ready, "controls": controls}, 200 if readiness.ready else 503)

    async def metrics(request: Request) -> Response:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(registry), headers={"content-type": content_type})

    return Starlette(routes=[Route("/readyz", readyz), Route("/metrics", metrics)])


def shared_listener(address: str) -> socket.socket:
    """A socket on `host:port`, which the workers of a machine share: the kernel gives each connection to one of them.

    Raises OSError.
    """
    place = read_tcp_address(address)
    shared = socket.socket(socket.AF_INET6 if ":" in place.host else socket.AF_INET)
    shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    shared.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    shared.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    shared.bind((place.host, place.port))
    return shared


def unix_listener(path: str) -> socket.socket:
    """A socket to serve the app on. Raises OSError."""
    place = Path(path)
    place.unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(place))
    return listener
