"""WebSockets in the real Envoy: for a tool that says so, once the upgrade was judged; refused for all others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from aegis_authz.core.catalogue import JSON_ALONE, ONE_OPERATION, Action, Catalogue, Tool
from aegis_authz.core.effect import Effect
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.wire.envoy.ext_authz import read_check_request
from aegis_authz.wire.http.tool_call import read_tool_call

if TYPE_CHECKING:
    from conftest import Authorizer, Proxy, Starter, ToolServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

ACTIONS = (Action("follow", "GET", ("stream",), (), False, JSON_ALONE, ONE_OPERATION),)
SWITCHED = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\n"


def tools(port: int) -> Catalogue:
    upstream = f"http://127.0.0.1:{port}"
    ticker = Tool("ticker", "ticker.example", None, upstream, ACTIONS, "", "", None, True, False, NO_INTERFACE)
    return Catalogue.of(
        (ticker, Tool("plain", "plain.example", None, upstream, ACTIONS, "", "", None, False, False, NO_INTERFACE))
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def ticking(envoys: Starter, one_authorizer: Authorizer, one_tool: ToolServer) -> AsyncIterator[Proxy]:
    """An Envoy before a tool with WebSockets, and one without."""
    async with envoys.running("ticking", tools(one_tool.port), one_authorizer.place) as running:
        yield running


def handshake(host: str) -> bytes:
    lines = (f"GET http://{host}/stream HTTP/1.1", f"host: {host}", "connection: Upgrade", "upgrade: websocket", "", "")
    return "\r\n".join(lines).encode()


async def test_frames_pass_once_the_upgrade_was_judged(
    ticking: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    server.reply = SWITCHED
    reader, writer = await asyncio.open_connection("127.0.0.1", ticking.forward)
    try:
        async with asyncio.timeout(10):
            writer.write(handshake("ticker.example"))
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
            await server.say(b"frame")
            assert await reader.readexactly(5) == b"frame"
    finally:
        writer.close()
    call = read_tool_call(read_check_request(authorizer.checks[-1].SerializeToString()), tools(server.port))
    assert (call.action, call.besides) == ("follow", {"upgrade": "websocket"})


async def test_an_upgrade_that_is_denied_reaches_nobody(
    ticking: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    authorizer.answer = replace(authorizer.answer, effect=Effect.DENY, grpc_code=7, status=403, body=b"no")
    reply = await ticking.send(handshake("ticker.example"))
    assert (reply.status, reply.body, server.seen) == (403, b"no", [])


async def test_a_tool_without_websockets_is_not_upgraded(
    ticking: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    reply = await ticking.send(handshake("plain.example"))
    assert (reply.status, authorizer.checks, server.seen) == (403, [], [])
