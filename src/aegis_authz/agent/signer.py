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

from aegis_authz.agent.admission import admit, own_names, read_body, require_own_host
from aegis_authz.agent.mesh import MeshCall, MeshCaller, end_to_end
from aegis_authz.agent.refusals import Cause, LocalAnswer, Unforwarded, local_answer

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
            admit(request, self._uid)
            method, url, is_forward = self._target(request)
            body = await read_body(request)
            call = MeshCall(method, url, is_forward, _request_headers(request), body)
            async with self._caller.call(call) as upstream:
                return await _pass_on(request, upstream)
        except Unforwarded as refused:
            answer = local_answer(refused, body)
        return _response(answer)

    def _target(self, request: web.BaseRequest) -> tuple[str, str, bool]:
        """Method, absolute URL, and whether it goes through the forward proxy."""
        raw = request.raw_path
        if request.method == "CONNECT":
            raise Unforwarded(Cause.NOT_A_CALL, "A CONNECT must be the first request of its connection.")
        if raw.startswith("/"):
            require_own_host(request)
            return request.method, f"{self._caller.mesh.reverse}{raw}", False
        try:
            parts = urlsplit(raw)
        except ValueError:
            raise Unforwarded(Cause.NOT_A_CALL, "The request names no URL.") from None
        if parts.scheme.lower() != "http" or not parts.hostname:
            raise Unforwarded(Cause.NOT_A_CALL, "A request to the proxy must be for an http:// URL.")
        authority = parts.netloc.rpartition("@")[2]
        path = raw.split("://", 1)[1].removeprefix(parts.netloc)
        if authority.lower() in own_names(request):
            # a client that was given both the proxy and the reverse URL
            return request.method, f"{self._caller.mesh.reverse}{path or '/'}", False
        return request.method, f"http://{authority}{path if path.startswith('/') else '/' + path}", True


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
