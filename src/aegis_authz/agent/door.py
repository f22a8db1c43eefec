"""What a new connection begins with: CONNECT goes one way, every other request to the HTTP server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

TunnelHandler = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Serves one connection that begins with CONNECT, which it reads itself."""

_CONNECT = b"CONNECT "
_MOST_HEAD = 65_536


class Door(asyncio.Protocol):
    """Looks at the first bytes of a connection and hands it over: an HTTP server reads no tunnel."""

    def __init__(self, server: Callable[[], asyncio.BaseProtocol], tunnels: TunnelHandler) -> None:
        self._server = server
        self._tunnels = tunnels
        self._transport: asyncio.Transport | None = None
        self._first = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport until it is clear whose it is."""
        if isinstance(transport, asyncio.Transport):
            self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Decide as soon as the bytes can be told apart."""
        self._first += data
        if self._transport is None or (len(self._first) < len(_CONNECT) and _CONNECT.startswith(self._first)):
            return
        if self._first.startswith(_CONNECT):
            reader = asyncio.StreamReader(limit=_MOST_HEAD)
            self._hand_over(asyncio.StreamReaderProtocol(reader, self._tunnels))
        else:
            self._hand_over(self._server())

    def _hand_over(self, protocol: asyncio.BaseProtocol) -> None:
        transport = self._transport
        if transport is None or not isinstance(protocol, asyncio.Protocol):
            raise TypeError("a connection is handed over to what reads one")
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        protocol.data_received(self._first)
