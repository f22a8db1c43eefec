"""Where what is for this user alone listens: on loopback, or on a unix socket for its user alone."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from aegis_authz.agent.door import Door, TunnelHandler

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
"""Answers a request."""

_UNIX = "unix:"
_BACKLOG = 128
_SHUTDOWN_SECONDS = 1.0


class ListenFault(Exception):
    """Nobody can listen there; the message says why."""


@dataclass(frozen=True, slots=True)
class Listening:
    """The place: `127.0.0.1:PORT`, or `unix:PATH`."""

    address: str

    @property
    def url(self) -> str:
        """The base URL of the reverse form, and the proxy's; "" on a unix socket, which no URL names."""
        return "" if self.address.startswith(_UNIX) else f"http://{self.address}"


class RequestLog(logging.LoggerAdapter[logging.Logger]):
    """The log of aiohttp. What is no request of HTTP, which it answers with 400, is its client's fault and no error
    here; nor is it repeated, for a credential may be in it.
    """

    def exception(self, msg: object, *args: object, exc_info: object = True, **options: Any) -> None:
        """Log a fault of ours with its traceback, and a request that is none in a line."""
        if isinstance(exc_info, HttpProcessingError):
            self.info("what is no request of HTTP was refused (%s)", type(exc_info).__name__)
        else:
            super().exception(msg, *args, exc_info=exc_info, **options)  # type: ignore[arg-type]  # as it came


@asynccontextmanager
async def serving(handler: Handler, listen: str, tunnels: TunnelHandler | None = None) -> AsyncIterator[Listening]:
    """Serve on `HOST:PORT` of loopback (port 0: any free one) or `unix:PATH` until the block ends.

    Connections that begin with CONNECT go to `tunnels`, where there is one. Raises ListenFault for any other place:
    beyond this machine it would be everybody's.
    """
    listener, address = _listener(listen)
    server = web.Server(
        handler,
        handler_cancellation=True,  # a client that goes takes its call with it
        auto_decompress=False,  # what the mesh is to judge is what the client sent
        keepalive_timeout=300,
        max_line_size=64 * 1024,
        max_field_size=64 * 1024,
        access_log=None,
        logger=RequestLog(logging.getLogger("aiohttp.server"), {}),
    )
    runner = web.ServerRunner(server, shutdown_timeout=_SHUTDOWN_SECONDS)
    listening: asyncio.Server | None = None
    try:
        await runner.setup()
        listening = await asyncio.get_running_loop().create_server(
            lambda: Door(server, tunnels) if tunnels is not None else server(), sock=listener, backlog=_BACKLOG
        )
        yield Listening(address)
    finally:
        if listening is not None:
            listening.close()
        await runner.cleanup()
        listener.close()
        if address.startswith(_UNIX):
            _remove(Path(address.removeprefix(_UNIX)))


def _listener(listen: str) -> tuple[socket.socket, str]:
    try:
        if listen.startswith(_UNIX):
            return _unix_socket(Path(listen.removeprefix(_UNIX))), listen
        return _loopback(listen)
    except OSError as fault:
        raise ListenFault(f"cannot listen on {listen}: {fault.strerror or fault}") from None


def _loopback(listen: str) -> tuple[socket.socket, str]:
    host, _, port = listen.rpartition(":")
    try:
        is_loopback = ip_address("127.0.0.1" if host == "localhost" else host.strip("[]")).is_loopback
        number = int(port)
    except ValueError:
        raise ListenFault(f"{listen!r} is neither HOST:PORT nor unix:PATH") from None
    if not is_loopback:
        raise ListenFault(f"{listen} is not loopback: whoever reaches it acts as this user")
    if not 0 <= number < 65536:
        raise ListenFault(f"{port} is no port")
    name = "127.0.0.1" if host == "localhost" else host.strip("[]")
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    listener = socket.create_server((name, number), family=family, backlog=_BACKLOG)
    bound = listener.getsockname()
    return listener, f"[{bound[0]}]:{bound[1]}" if ":" in name else f"{bound[0]}:{bound[1]}"


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


def _unix_socket(path: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    mask = os.umask(0o177)  # from its first moment nobody else's
    try:
        listener.bind(str(path))
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(mask)
    listener.listen(_BACKLOG)
    return listener
