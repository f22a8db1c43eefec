"""HTTP/1.1 to OPA over its unix socket, keep-alive, one request at a time on each connection.

httpx costs ten times the decision it would carry (docs/dependencies.md); parsing is httptools'.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import cast

import httptools

_MAX_ANSWER = 64 * 1024 * 1024


class OpaUnreachable(Exception):
    """OPA cannot be reached, or ended the connection in mid-answer."""


class OpaHttp:
    """A small pool of connections to one OPA."""

    def __init__(self, socket: Path) -> None:
        self._socket = socket
        self._idle: list[_Connection] = []

    async def get(self, path: str) -> tuple[int, bytes]:
        """GET `path`; returns status and body. Raises OpaUnreachable."""
        return await self._exchange(b"GET %b HTTP/1.1\r\nHost: opa\r\n\r\n" % path.encode("ascii"))

    async def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """POST JSON to `path`; returns status and body. Raises OpaUnreachable.

        The request may be sent twice when OPA had closed an idle connection: use it for queries only.
        """
        head = b"POST %b HTTP/1.1\r\nHost: opa\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
        return await self._exchange(head % (path.encode("ascii"), len(body)) + body)

    async def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()
        await asyncio.sleep(0)  # a transport closes in the next turn of the loop

    async def _exchange(self, request: bytes) -> tuple[int, bytes]:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_closed:
                continue
            try:
                return await self._ask(connection, request)
            except OpaUnreachable:
                # the connection had gone stale while idle; a fresh one tells whether OPA is there
                break
        try:
            _, fresh = await asyncio.get_running_loop().create_unix_connection(_Connection, str(self._socket))
        except OSError as fault:
            raise OpaUnreachable(f"cannot connect: {fault.strerror}") from None
        return await self._ask(fresh, request)

    async def _ask(self, connection: _Connection, request: bytes) -> tuple[int, bytes]:
        try:
            answer = await connection.ask(request)
        except BaseException:
            # also when cancelled: the late answer must not meet the next question
            connection.close()
            raise
        if connection.is_closed:
            return answer
        self._idle.append(connection)
        return answer


class _Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[tuple[int, bytes]] | None = None
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._size = 0

    @property
    def is_closed(self) -> bool:
        return self._transport is None or self._transport.is_closing()

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        if self._transport is None:
            raise OpaUnreachable("the connection was closed")
        self._answer = asyncio.get_running_loop().create_future()
        self._parser = httptools.HttpResponseParser(self)
        self._body, self._size = [], 0
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail("not HTTP")

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        self._fail("the connection was closed")

    def on_body(self, body: bytes) -> None:
        self._size += len(body)
        if self._size > _MAX_ANSWER:
            self._fail("the answer is too large")
        else:
            self._body.append(body)

    def on_message_complete(self) -> None:
        answer = self._answer
        if not self._parser.should_keep_alive():
            self.close()
        if answer is not None and not answer.done():
            answer.set_result((self._parser.get_status_code(), b"".join(self._body)))

    def _fail(self, why: str) -> None:
        self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(OpaUnreachable(why))
