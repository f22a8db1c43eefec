"""The HTTP/2 host: gRPC on an asyncio socket, nothing between Envoy and the handlers but frames.

Carries bytes and nothing else, like the other host. What came together is answered together: one read and one
write of the socket serve all calls of one turn of the loop, which is where its speed comes from.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

from aegis_authz.core.address import UnixAddress, read_address
from aegis_authz.server.authz import Check
from aegis_authz.server.grpc.health import Health
from aegis_authz.server.host import Process
from aegis_authz.server.http2.calls import Calls
from aegis_authz.server.http2.intake import WINDOW, Intake
from aegis_authz.server.http2.socket import Http2Socket
from aegis_authz.wire.envoy.ext_authz import SERVICE
from aegis_authz.wire.envoy.ext_proc import BODY_SERVICE

_LAST_WORDS: Final = 1.0  # seconds for what was cut off to say so in its records


class Http2Host:
    """Serves the handlers on one address (`unix:/path` or `host:port`)."""

    def __init__(self, address: str, check: Check, process: Process, log: Process, mode: int = 0o600) -> None:
        """`mode` is that of a unix socket."""
        self._address = address
        self._mode = mode
        self._health = Health()
        self._calls = Calls(check, process, log, self._health)
        self._intake = Intake(WINDOW)
        self._sockets: set[Http2Socket] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen, NOT_SERVING. Raises RuntimeError when the address is taken."""
        await self.set_health(ready=False, serving=False)
        try:
            self._server = await self._listen()
        except (OSError, ValueError) as fault:
            raise RuntimeError(f"cannot listen on {self._address}: {fault}") from fault

    async def set_health(self, ready: bool, serving: bool) -> None:
        """Tell everyone who watches grpc.health.v1: the service "" is `ready`, the two Envoy asks are `serving`."""
        self._health.set({"": ready, SERVICE: serving, BODY_SERVICE: serving})

    async def stop(self, grace: float) -> None:
        """Accept nothing new, wait at most `grace` seconds for what is under way."""
        if self._server is not None:
            self._server.close()
        self._health.close()
        sockets = tuple(self._sockets)
        for socket in sockets:
            socket.close()
        try:
            async with asyncio.timeout(grace):
                for socket in sockets:
                    await socket.lost.wait()
        except TimeoutError:
            for socket in sockets:
                socket.abort()
        if cut_off := [task for socket in sockets for task in socket.under_way]:
            await asyncio.wait(cut_off, timeout=_LAST_WORDS)

    async def _listen(self) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        place = read_address(self._address)
        if isinstance(place, UnixAddress):
            Path(place.path).unlink(missing_ok=True)  # noqa: ASYNC240  # before anything is served
            server = await loop.create_unix_server(self._connected, place.path)
            os.chmod(place.path, self._mode)
            return server
        return await loop.create_server(self._connected, place.host, place.port)

    def _connected(self) -> Http2Socket:
        return Http2Socket(self._calls, self._sockets, self._intake)
