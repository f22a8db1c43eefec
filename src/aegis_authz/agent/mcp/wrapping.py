"""The HTTP side of a wrapped stdio server: the endpoint that the mesh forwards allowed calls to (streamable HTTP)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from aiohttp import web

from aegis_authz.agent.mcp.rpc import INITIALIZE, Message, error_line, read_message
from aegis_authz.agent.mcp.stdio_server import Exchange, ServerGone, StdioServer
from aegis_authz.agent.peers import owner_of

PATH = "/mcp"
_SESSION = "mcp-session-id"
_JSON, _EVENTS = "application/json", "text/event-stream"
_MOST_BODY = 4 * 1024 * 1024
_MOST_SESSIONS = 64


class WrappedServer:
    """Answers the mesh. `uid` is whose processes may call: those of the user that runs Envoy."""

    def __init__(self, words: Sequence[str], uid: int, new_id: Callable[[], str], group: asyncio.TaskGroup) -> None:
        self._words = words
        self._uid = uid
        self._new_id = new_id
        self._group = group
        self._sessions: dict[str, StdioServer] = {}
        self._shared: StdioServer | None = None
        self._starting = asyncio.Lock()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        if (refusal := self._refusal(request)) is not None:
            return refusal
        match request.method:
            case "POST":
                return await self._post(request)
            case "GET":
                return await self._get(request)
            case "DELETE":
                return await self._delete(request)
            case _:
                return web.Response(status=405, headers={"allow": "POST, GET, DELETE"})

    async def stop(self) -> None:
        """End every process."""
        servers = [*self._sessions.values(), *([self._shared] if self._shared is not None else [])]
        await asyncio.gather(*(server.stop() for server in servers))

    def _refusal(self, request: web.BaseRequest) -> web.Response | None:
        transport = request.transport
        peer = transport.get_extra_info("peername") if transport is not None else None
        if transport is None or (
            isinstance(peer, tuple)
            and owner_of(peer[:2], transport.get_extra_info("sockname")[:2]) not in (0, self._uid)
        ):
            return web.Response(status=403, text="only the mesh calls here\n")
        if "origin" in request.headers or request.headers.get("sec-fetch-site", "none") != "none":
            return web.Response(status=403, text="no page calls here\n")
        return None if request.path == PATH else web.Response(status=404, text=f"the endpoint is {PATH}\n")

    async def _post(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            message = read_message(await _body(request))
        except ValueError as fault:
            return _json(error_line(None, f"no message: {fault}"), status=400)
        session = request.headers.get(_SESSION, "")
        try:
            if message.method == INITIALIZE:
                session, server = await self._begin()
            else:
                server = await self._server(session)
            if not message.is_request:
                await server.tell(message)
                return web.Response(status=202)
            exchange = await server.request(message)
        except KeyError:
            return _json(error_line(message.id, "no such session"), status=404)
        except (ServerGone, OSError) as fault:
            self._sessions.pop(session, None)
            return _json(error_line(message.id, f"the server cannot answer: {fault}"))
        headers = {_SESSION: session} if message.method == INITIALIZE else {}
        return await _answer(request, exchange, headers)

    async def _get(self, request: web.BaseRequest) -> web.StreamResponse:
        server = self._sessions.get(request.headers.get(_SESSION, ""))
        if server is None:
            return web.Response(status=405 if _SESSION not in request.headers else 404)
        messages = server.listen()
        response = await _event_stream(request, {})
        try:
            while (text := await messages.get()) is not None:
                await response.write(_event(text))
        finally:
            if server.listener is messages:
                server.listener = None
        return response

    async def _delete(self, request: web.BaseRequest) -> web.Response:
        server = self._sessions.pop(request.headers.get(_SESSION, ""), None)
        if server is None:
            return web.Response(status=404)
        await server.stop()
        return web.Response(status=204)

    async def _begin(self) -> tuple[str, StdioServer]:
        while len(self._sessions) >= _MOST_SESSIONS:
            idle = next((name for name, server in self._sessions.items() if not server.is_busy), None)
            if idle is None:
                raise ServerGone("too many sessions are open")
            await self._sessions.pop(idle).stop()
        session = self._new_id()
        server = self._sessions[session] = await StdioServer.start(self._words, self._group)
        return session, server

    async def _server(self, session: str) -> StdioServer:
        """The process of a session, or the shared one of stateless messages. Raises KeyError, OSError."""
        if session:
            return self._sessions[session]
        async with self._starting:
            if self._shared is None or not self._shared.is_alive:
                self._shared = await StdioServer.start(self._words, self._group)
            return self._shared


@asynccontextmanager
async def wrapped_server(words: Sequence[str], uid: int, new_id: Callable[[], str]) -> AsyncIterator[WrappedServer]:
    """The HTTP side of a command; all its processes are gone when the block ends."""
    async with asyncio.TaskGroup() as group:
        server = WrappedServer(words, uid, new_id, group)
        try:
            yield server
        finally:
            await server.stop()


async def _answer(request: web.BaseRequest, exchange: Exchange, headers: dict[str, str]) -> web.StreamResponse:
    """The answer as JSON where it is all there is, else as a stream of events that ends with it."""
    first = await exchange.messages.get()
    if first is None:
        return web.Response(status=202)
    if _is_last(first, exchange):
        return _json(first, headers=headers)
    response = await _event_stream(request, headers)
    text: bytes | None = first
    while text is not None:
        await response.write(_event(text))
        text = await exchange.messages.get()
    return response


def _is_last(text: bytes, exchange: Exchange) -> bool:
    message: Message = read_message(text)
    return not message.method and message.id == exchange.id


async def _event_stream(request: web.BaseRequest, headers: dict[str, str]) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": _EVENTS, "cache-control": "no-store", **headers})
    await response.prepare(request)
    return response


def _event(text: bytes) -> bytes:
    return b"event: message\ndata: " + text + b"\n\n"


def _json(body: bytes, status: int = 200, headers: dict[str, str] | None = None) -> web.Response:
    response = web.Response(status=status, body=body, headers=headers)
    response.headers["content-type"] = _JSON
    return response


async def _body(request: web.BaseRequest) -> bytes:
    body = bytearray()
    async for chunk in request.content.iter_any():
        body += chunk
        if len(body) > _MOST_BODY:
            raise ValueError(f"more than {_MOST_BODY:,} bytes")
    return bytes(body)
