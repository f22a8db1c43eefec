"""A stand-in for the tools of a catalogue that nobody has started: answers with what reached it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from aegis_authz.core.catalogue import Tool
from aegis_authz.core.json_value import Json

_HERE = ("127.0.0.1", "localhost")
_METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]


def echo_ports(tools: Iterable[Tool]) -> list[int]:
    """The loopback ports of plain HTTP tools on which nobody listens. An MCP server cannot be stood in for."""
    places = [tool.place for tool in tools if tool.upstream.startswith("http:") and not tool.is_mcp]
    ports = sorted({place.port for place in places if place.host in _HERE})
    return [port for port in ports if _is_free(port)]


def serve_echo(ports: Sequence[int], ready: Path, host: str = "127.0.0.1") -> None:
    """Answer on these ports of `host`, and GET /readyz on the socket `ready`, until told to stop. Raises OSError."""
    ready.unlink(missing_ok=True)  # of a stand-in that was killed
    listeners = [socket.create_server((host, port)) for port in ports]
    listeners.append(socket.socket(socket.AF_UNIX))
    listeners[-1].bind(str(ready))
    config = uvicorn.Config(
        echo_app(), log_config=None, log_level="warning", access_log=False, server_header=False, lifespan="off"
    )
    uvicorn.Server(config).run(sockets=listeners)


def echo_app() -> Starlette:
    """The application: what was received, as JSON. Headers are left out: a credential may be among them."""
    return Starlette(routes=[Route("/readyz", _ready), Route("/{path:path}", _echo, methods=_METHODS)])


async def _ready(_: Request) -> Response:
    return PlainTextResponse("ready")


async def _echo(request: Request) -> Response:
    raw = await request.body()
    received: dict[str, Json] = {"method": request.method, "path": request.url.path}
    if request.url.query:
        received["query"] = request.url.query
    if raw:
        received["body"] = _body(raw)
    return JSONResponse({"echo": received})


def _body(raw: bytes) -> Json:
    try:
        body: Json = json.loads(raw)
    except ValueError:
        return raw.decode("utf-8", "replace")
    return body


def _is_free(port: int) -> bool:
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError:
        return False
    return True
