"""The tool behind the doctor's calls: answers them, and remembers what reached it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from aegis_authz.core.json_value import Json

_START_TIMEOUT = 5.0
WITHDRAWN = "078-05-1120"
"""A social security number that was advertised and withdrawn; it must not pass the mesh in either direction."""


@dataclass(frozen=True, slots=True)
class ReceivedCall:
    """One request that got through the mesh. Header names are in lower case."""

    path: str
    body: str
    headers: dict[str, str]


class DoctorTool:
    """Answers every call with a secret in it. `received` holds what arrived, oldest first."""

    def __init__(self) -> None:
        self.received: list[ReceivedCall] = []

    def app(self) -> Starlette:
        """The ASGI application."""
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=["GET", "POST"])])

    async def _answer(self, request: Request) -> Response:
        body = (await request.body()).decode("utf-8", "replace")
        self.received.append(ReceivedCall(request.url.path, body, dict(request.headers)))
        answer: dict[str, Json] = {"status": "done", "secret": WITHDRAWN}
        return JSONResponse(answer)


class DoctorPortTaken(Exception):
    """The port reserved for the doctor's tool is in use; the message names it."""


@asynccontextmanager
async def doctor_tool_at(port: int) -> AsyncIterator[DoctorTool]:
    """Serve the tool on this loopback port until the block ends. Raises DoctorPortTaken."""
    try:
        listener = socket.create_server(("127.0.0.1", port))
    except OSError as fault:
        raise DoctorPortTaken(f"port {port} is reserved for the doctor and cannot be used: {fault.strerror}") from None
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # asyncio leaves it off on a socket made like this
    tool = DoctorTool()
    server = _Server(uvicorn.Config(tool.app(), log_config=None, access_log=False, lifespan="off"))
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        async with asyncio.timeout(_START_TIMEOUT):
            await server.is_up.wait()
        yield tool
    finally:
        server.should_exit = server.force_exit = True
        await task
        listener.close()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self.is_up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to the command."""
        yield
