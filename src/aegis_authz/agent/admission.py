"""Who may call a server that acts as this user: programs of this user, and no page in a browser."""

from __future__ import annotations

import aiohttp
from aiohttp import web

from aegis_authz.agent.mesh import MOST_BODY
from aegis_authz.agent.peers import owner_of
from aegis_authz.agent.refusals import Cause, Unforwarded

_LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
_PAGE_SITES = ("same-origin", "same-site", "cross-site")


def admit(request: web.BaseRequest, uid: int) -> None:
    """Refuse another user's process, root's excepted, and a page in the browser. Raises Unforwarded."""
    transport = request.transport
    if transport is None:
        raise Unforwarded(Cause.NOT_A_CALL, "The connection is gone.")
    peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
    if isinstance(peer, tuple) and owner_of(peer[:2], own[:2]) not in (0, uid):
        raise Unforwarded(Cause.CALLER_FOREIGN, "Only processes of the user whose agent this is may call here.")
    # a script of a page says where it is from, and so does its browser; a program says neither
    if "origin" in request.headers or request.headers.get("sec-fetch-site", "none") in _PAGE_SITES:
        raise Unforwarded(Cause.FROM_A_PAGE, "A web page has no business with the agent's tools.")


def require_own_host(request: web.BaseRequest) -> None:
    """Refuse a name that is not ours: a page whose name was bound to this address anew. Raises Unforwarded."""
    names = own_names(request)
    if names and request.headers.get("host", "").lower() not in names:
        raise Unforwarded(Cause.FROM_A_PAGE, "The Host header names another server than this signer.")


def own_names(request: web.BaseRequest) -> tuple[str, ...]:
    """What clients may call us; nothing on a unix socket, where no page can be."""
    own = request.transport.get_extra_info("sockname") if request.transport is not None else None
    return tuple(f"{name}:{own[1]}" for name in _LOCAL_NAMES) if isinstance(own, tuple) else ()


async def read_body(request: web.BaseRequest) -> bytes:
    """The whole body. Raises Unforwarded for one that is larger than the mesh judges, or ends before its end."""
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
