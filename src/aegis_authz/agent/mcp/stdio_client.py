"""A client that speaks MCP over stdio, led to a server behind the mesh: each line is a signed POST (streamable HTTP).

Its session lives here: the session's id, the revision that was agreed on, the stream of what the server says by itself.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable

import aiohttp

from aegis_authz.agent.mcp.rpc import (
    INITIALIZE,
    INITIALIZED,
    Message,
    error_line,
    mirrored_headers,
    one_line,
    read_message,
)
from aegis_authz.agent.mesh import MeshCall, MeshCaller
from aegis_authz.agent.refusals import Unforwarded, local_answer
from aegis_authz.core.refused import Refused
from aegis_authz.redact.sse import EventSplitter

_SESSION, _VERSION = "mcp-session-id", "mcp-protocol-version"
_EVENTS, _JSON = "text/event-stream", "application/json"
_LARGEST_EVENT = 64 * 1024 * 1024
_AGAIN_SECONDS = 1.0
_GOODBYE_SECONDS = 2.0

Send = Callable[[bytes], Awaitable[None]]
"""Gives the client one line."""


class StdioClient:
    """One client on stdio. `url` is the MCP endpoint; `is_forward` when it is called through the forward proxy."""

    def __init__(self, caller: MeshCaller, url: str, is_forward: bool, send: Send) -> None:
        self._caller = caller
        self._url = url
        self._is_forward = is_forward
        self._send = send
        self._session = ""
        self._version = ""

    async def run(self, lines: AsyncIterator[bytes]) -> None:
        """Carry messages until the client ends its lines, then end the session."""
        try:
            await self._carry(lines)
        finally:
            await self._end()

    async def _carry(self, lines: AsyncIterator[bytes]) -> None:
        async with asyncio.TaskGroup() as group:
            exchanges: set[asyncio.Task[None]] = set()
            listener: asyncio.Task[None] | None = None
            async for line in lines:
                if not line.strip():
                    continue
                try:
                    message = read_message(line)
                except ValueError as fault:
                    await self._send(error_line(None, f"this line is no message: {fault}"))
                    continue
                if message.is_request and message.method != INITIALIZE:
                    exchange = group.create_task(self._exchange(message, line))
                    exchanges.add(exchange)
                    exchange.add_done_callback(exchanges.discard)
                    continue
                # in the order in which they came: what follows may rest on these
                await self._exchange(message, line)
                if message.method == INITIALIZED and listener is None and self._session:
                    listener = group.create_task(self._listen())
            if exchanges:
                await asyncio.wait(exchanges)
            if listener is not None:
                listener.cancel()

    async def _exchange(self, message: Message, line: bytes) -> None:
        body = one_line(line)
        headers = (("content-type", _JSON), *self._headers(message))
        call = MeshCall("POST", self._url, self._is_forward, headers, body)
        try:
            async with self._caller.call(call) as response:
                await self._answer(message, response)
        except Unforwarded as refused:
            if message.is_request:
                await self._send(one_line(local_answer(refused, body).body))
        except (aiohttp.ClientError, TimeoutError, OSError, Refused) as fault:
            if message.is_request:
                why = str(fault) or type(fault).__name__
                await self._send(error_line(message.id, f"the answer broke off: {why}"))

    async def _answer(self, message: Message, response: aiohttp.ClientResponse) -> None:
        kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
        if message.method == INITIALIZE and response.status == 200:
            self._session = response.headers.get(_SESSION, "")
        if response.status == 200 and kind == _EVENTS:
            is_answered = await self._pass_events(response, message)
            if not is_answered and message.is_request:
                await self._send(error_line(message.id, "the server's stream ended without an answer"))
            return
        body = await response.read()
        if response.status == 200 and kind == _JSON:
            if message.is_request:
                await self._pass(body, message)
        elif message.is_request:
            await self._send(error_line(message.id, _sentence(response, body)))

    async def _pass_events(self, response: aiohttp.ClientResponse, message: Message | None) -> bool:
        """Give each event's message to the client; returns whether the answer to `message` was among them."""
        splitter = EventSplitter(_LARGEST_EVENT)
        is_answered = False
        async for chunk in response.content.iter_any():
            for event in splitter.feed(chunk):
                if event.data:
                    is_answered |= await self._pass(event.data, message)
        return is_answered

    async def _pass(self, text: bytes, request: Message | None) -> bool:
        try:
            message = read_message(text)
        except ValueError:
            if request is not None and request.is_request:
                await self._send(error_line(request.id, "the server answered something else than JSON-RPC"))
            return True
        if request is not None and request.method == INITIALIZE:
            self._note_version(message)
        await self._send(one_line(text))
        return request is not None and not message.method and message.id == request.id

    def _note_version(self, answer: Message) -> None:
        result = answer.members.get("result")
        version = result.get("protocolVersion") if isinstance(result, dict) else None
        if isinstance(version, str):
            self._version = version

    async def _listen(self) -> None:
        """What the server says by itself: a stream that is opened again when it ends, for as long as there is one."""
        while True:
            call = MeshCall("GET", self._url, self._is_forward, (("accept", _EVENTS), *self._session_headers()), b"")
            try:
                async with self._caller.call(call) as response:
                    if response.status != 200:
                        return  # this server has none, or policy opens none
                    await self._pass_events(response, None)
            except (Unforwarded, aiohttp.ClientError, TimeoutError, OSError, Refused):
                await asyncio.sleep(_AGAIN_SECONDS)
            await asyncio.sleep(_AGAIN_SECONDS)

    async def _end(self) -> None:
        if not self._session:
            return
        call = MeshCall("DELETE", self._url, self._is_forward, self._session_headers(), b"")
        try:
            async with asyncio.timeout(_GOODBYE_SECONDS), self._caller.call(call):
                self._session = ""
        except (Unforwarded, aiohttp.ClientError, TimeoutError, OSError):
            self._session = ""  # the server ends it when nobody comes any more

    def _headers(self, message: Message) -> tuple[tuple[str, str], ...]:
        accept = ("accept", f"{_JSON}, {_EVENTS}")
        mirrored = mirrored_headers(message)
        if mirrored:
            return (accept, *mirrored)
        return (accept,) if message.method == INITIALIZE else (accept, *self._session_headers())

    def _session_headers(self) -> tuple[tuple[str, str], ...]:
        pairs = ((_SESSION, self._session), (_VERSION, self._version))
        return tuple((name, value) for name, value in pairs if value)


def _sentence(response: aiohttp.ClientResponse, body: bytes) -> str:
    """What became of a request whose answer is no JSON-RPC: the problem document's words, where it has any."""
    try:
        detail = read_detail(body)
    except ValueError:
        detail = ""
    if response.status == 404 and not detail:
        return "the session has ended, or there is no MCP server at this address"
    return detail or f"the answer has status {response.status} and is no JSON-RPC message"


def read_detail(body: bytes) -> str:
    """`detail` of a problem document (RFC 9457). Raises ValueError."""
    document = json.loads(body)
    detail = document.get("detail") if isinstance(document, dict) else None
    if not isinstance(detail, str):
        raise ValueError("no detail")  # noqa: TRY004  # one error for every surprise
    return detail
