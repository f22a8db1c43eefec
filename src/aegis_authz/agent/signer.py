"""The local signer: an HTTP server for the agent's own programs that forwards each request to the mesh with a proof.

Three forms come in. A request to a proxy (`GET http://tool.example/x`) goes through the mesh's forward proxy; a
plain one (`GET /tool/x`) to its reverse routes; both may be MCP, whose streams pass as they come, unbuffered. CONNECT
goes elsewhere (`agent.tunnels`).
"""

from __future__ import annotations

import asyncio
from urllib.parse import urlsplit

import aiohttp
from aiohttp import web

from aegis_authz.agent.mesh import MOST_BODY, MeshCall, MeshCaller, end_to_end
from aegis_authz.agent.peers import owner_of
from aegis_authz.agent.refusals import Cause, LocalAnswer, Unforwarded, local_answer

_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
_PAGE_SITES = ("same-origin", "same-site", "cross-site")
_NO_BODY = (204, 304)


class Signer:
    """Answers the agent's programs. `uid` is whose processes may call; root may as well."""

    def __init__(self, caller: MeshCaller, uid: int) -> None:
        self._caller = caller
        self._uid = uid

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        """Forward a request and its answer, or say why not."""
        body = b""
        try:
            self._admit(request)
            method, url, is_forward = self._target(request)
            body = await _body(request)
            call = MeshCall(method, url, is_forward, _request_headers(request), body)
            async with self._caller.call(call) as upstream:
                return await _pass_on(request, upstream)
        except Unforwarded as refused:
            answer = local_answer(refused, body)
        return _response(answer)

    def _admit(self, request: web.BaseRequest) -> None:
        """Refuse whoever is not a program of this user: another user's process, or a page in the browser."""
        transport = request.transport
        if transport is None:
            raise Unforwarded(Cause.NOT_A_CALL, "The connection is gone.")
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        if isinstance(peer, tuple) and owner_of(peer[:2], own[:2]) not in (0, self._uid):
            raise Unforwarded(Cause.CALLER_FOREIGN, "Only processes of the user whose agent this is may call here.")
        # a script of a page says where it is from, and so does its browser; a program says neither
        if "origin" in request.headers or request.headers.get("sec-fetch-site", "none") in _PAGE_SITES:
            raise Unforwarded(Cause.FROM_A_PAGE, "A web page has no business with the agent's tools.")

    def _target(self, request: web.BaseRequest) -> tuple[str, str, bool]:
        """Method, absolute URL, and whether it goes through the forward proxy."""
        raw = request.raw_path
        if request.method == "CONNECT":
            raise Unforwarded(Cause.NOT_A_CALL, "A CONNECT must be the first request of its connection.")
        if raw.startswith("/"):
            self._own_host(request)
            return request.method, f"{self._caller.mesh.reverse}{raw}", False
        try:
            parts = urlsplit(raw)
        except ValueError:
            raise Unforwarded(Cause.NOT_A_CALL, "The request names no URL.") from None
        if parts.scheme.lower() != "http" or not parts.hostname:
            raise Unforwarded(Cause.NOT_A_CALL, "A request to the proxy must be for an http:// URL.")
        authority = parts.netloc.rpartition("@")[2]
        path = raw.split("://", 1)[1].removeprefix(parts.netloc)
        if authority.lower() in self._own_names(request):
            # a client that was given both the proxy and the reverse URL
            return request.method, f"{self._caller.mesh.reverse}{path or '/'}", False
        return request.method, f"http://{authority}{path if path.startswith('/') else '/' + path}", True

    def _own_host(self, request: web.BaseRequest) -> None:
        """Refuse a name that is not ours: a page whose name was bound to this address anew (DNS rebinding)."""
        names = self._own_names(request)
        if names and request.headers.get("host", "").lower() not in names:
            raise Unforwarded(Cause.FROM_A_PAGE, "The Host header names another server than this signer.")

    def _own_names(self, request: web.BaseRequest) -> tuple[str, ...]:
        """What clients may call us; nothing on a unix socket, where no page can be."""
        own = request.transport.get_extra_info("sockname") if request.transport is not None else None
        return tuple(f"{name}:{own[1]}" for name in _LOCAL_NAMES) if isinstance(own, tuple) else ()


async def _body(request: web.BaseRequest) -> bytes:
    if request.content_length is not None and request.content_length > MOST_BODY:
        raise _too_large()
    if not request.can_read_body:
        return b""
    if request.headers.get("expect", "").lower() == "100-continue" and request.transport is not None:
        request.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    body = bytearray()
    try:
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > MOST_BODY:
                raise _too_large()
    except (aiohttp.ClientError, web.RequestPayloadError, OSError):
        raise Unforwarded(Cause.NOT_A_CALL, "The body ended before its end.") from None
    return bytes(body)


def _too_large() -> Unforwarded:
    return Unforwarded(Cause.BODY_TOO_LARGE, f"The mesh judges bodies of at most {MOST_BODY:,} bytes.")


def _request_headers(request: web.BaseRequest) -> tuple[tuple[str, str], ...]:
    return end_to_end(_texts(request.raw_headers))


def _texts(raw: tuple[tuple[bytes, bytes], ...]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("utf-8", "surrogateescape")) for name, value in raw]


async def _pass_on(request: web.BaseRequest, upstream: aiohttp.ClientResponse) -> web.StreamResponse:
    """Give the answer on as it comes. A stream that breaks is broken here as well: cut is not the same as over."""
    response = web.StreamResponse(status=upstream.status, reason=upstream.reason)
    for name, value in end_to_end(_texts(upstream.raw_headers)):
        response.headers.add(name, value)
    length = upstream.headers.get("content-length")
    if length is not None and length.isdecimal():
        response.content_length = int(length)
    await response.prepare(request)
    if request.method == "HEAD" or upstream.status in _NO_BODY:
        return response
    try:
        async for chunk in upstream.content.iter_any():
            await response.write(chunk)
        await response.write_eof()
    except (aiohttp.ClientError, TimeoutError, OSError):
        _cut(request)
    except asyncio.CancelledError:
        _cut(request)
        raise
    return response


def _cut(request: web.BaseRequest) -> None:
    if request.transport is not None:
        request.transport.abort()


def _response(answer: LocalAnswer) -> web.Response:
    headers = {"x-aegis-decision": "deny"}
    response = web.Response(status=answer.status, body=answer.body, headers=headers)
    response.headers["content-type"] = answer.content_type
    response.force_close()  # the rest of a body that nobody reads must not be taken for a request
    return response
