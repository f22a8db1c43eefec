"""A check that does nothing, in pyvoy: an ASGI application that speaks as much gRPC as that takes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from aegis_authz.server.grpc_framing import OK, frame, trailers
from benchmarks.contenders.said import ALLOW

_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/grpc")],
    "trailers": True,
}
_BODY = {"type": "http.response.body", "body": frame(ALLOW)}
_END = {"type": "http.response.trailers", "headers": trailers(OK)}


async def app(
    scope: dict[str, Any], receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
) -> None:
    """Allow everything."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        return
    await receive()
    for event in (_START, _BODY, _END):
        await send(event)
