"""A tool that costs next to nothing, for loads on a mesh whose own tools must not be loaded."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import httptools

_PAID = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 17\r\n\r\n{"status":"paid"}'
_BACKLOG = 1024


class ToolPortTaken(Exception):
    """The port of the tool is in use; the message names it."""


@asynccontextmanager
async def tool_at(port: int) -> AsyncIterator[None]:
    """Answer every request on this loopback port with 200 until the block ends. Raises ToolPortTaken."""
    try:
        listener = socket.create_server(("127.0.0.1", port), backlog=_BACKLOG)
    except OSError as fault:
        raise ToolPortTaken(f"port {port} of the tool cannot be used: {fault.strerror}") from None
    open_ones: set[asyncio.Transport] = set()
    server = await asyncio.get_running_loop().create_server(lambda: _Connection(open_ones), sock=listener)
    try:
        yield
    finally:
        server.close()
        for transport in tuple(open_ones):
            transport.abort()
        await server.wait_closed()


class _Connection(asyncio.Protocol):
    def __init__(self, open_ones: set[asyncio.Transport]) -> None:
        self._open_ones = open_ones
        self._parser = httptools.HttpRequestParser(self)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._open_ones.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._open_ones.discard(self._transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._transport.abort()

    def on_message_complete(self) -> None:
        self._transport.write(_PAID)
