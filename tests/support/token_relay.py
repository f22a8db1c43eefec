"""Stands between a client that knows no tokens and Envoy: adds a fresh token to every request, and changes nothing else."""

from __future__ import annotations

import asyncio
import re
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

_LENGTH = re.compile(rb"(?i)\r\ncontent-length: *([0-9]+)")
_CHUNKED = re.compile(rb"(?i)\r\ntransfer-encoding: *chunked")
_CONNECTION = re.compile(rb"(?i)\r\n(?:connection|keep-alive): *[^\r]*")


@dataclass
class TokenRelay:
    """One connection a request, so that nothing has to be known of answers: they end with the connection.

    `token` is told the head and the body of the request; "" is none.
    """

    token: Callable[[bytes, bytes], str]
    port: int = 0
    upstream: int = 0

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[TokenRelay]:
        tasks: set[asyncio.Task[None]] = set()

        async def begun(reader: StreamReader, writer: StreamWriter) -> None:
            task = asyncio.create_task(self._serve(reader, writer))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

        server = await asyncio.start_server(begun, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            async with server:
                yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _serve(self, reader: StreamReader, writer: StreamWriter) -> None:
        upstream = None
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            body = await _body(reader, head)
            upstream_reader, upstream = await asyncio.open_connection("127.0.0.1", self.upstream)
            token = self.token(head, body)
            added = f"\r\nx-aegis-token: {token}" if token else ""
            lines = _CONNECTION.sub(b"", head[:-4]) + f"{added}\r\nconnection: close\r\n\r\n".encode()
            upstream.write(lines + body)
            while piece := await upstream_reader.read(65_536):
                writer.write(piece)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass  # the client is gone, or its peer
        finally:
            await _close(writer)
            if upstream is not None:
                await _close(upstream)


async def _close(writer: StreamWriter) -> None:
    writer.close()
    with suppress(ConnectionError):
        await writer.wait_closed()


async def _body(reader: StreamReader, head: bytes) -> bytes:
    if _CHUNKED.search(head):
        body = b""
        while True:
            line = await reader.readline()
            size = int(line.split(b";")[0], 16)
            body += line + await reader.readexactly(size + 2)
            if not size:
                return body
    length = _LENGTH.search(head)
    return await reader.readexactly(int(length[1])) if length else b""
