"""Responses that are long or never end, through the processor in the real Envoy: nothing is held, cut or let past."""

from __future__ import annotations

import asyncio
from asyncio import StreamReader
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

import httpx
import pytest

from aegis_authz.core.effect import Effect
from aegis_authz.wire.envoy.answer import Answer

if TYPE_CHECKING:
    from conftest import Authorizer, Proxy, ToolServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

SECRET, MASK = b"078-05-1120", b"[redacted]"
REQUEST = b"GET http://pay.example/events HTTP/1.1\r\nhost: pay.example\r\n\r\n"
EVENTS = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
SANITIZED = Answer(
    effect=Effect.SANITIZE,
    grpc_code=0,
    status=200,
    body=b"",
    client_headers={"x-aegis-decision": "sanitize"},
    upstream_headers={"x-aegis-obligation": "response"},
    client_replacements={},
    removed_headers=("x-aegis-token",),
    metadata={"decision_id": "d-1", "obligations": "[]"},
    is_followed=True,
)


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


@asynccontextmanager
async def asked(proxy: Proxy) -> AsyncIterator[StreamReader]:
    """What comes back for REQUEST, within 5 s."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.forward)
    try:
        async with asyncio.timeout(5):
            writer.write(REQUEST)
            yield reader
    finally:
        writer.close()


async def test_an_event_arrives_while_the_tool_still_talks(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    authorizer.answer = SANITIZED
    server.reply = EVENTS + chunk(b"data: " + SECRET + b"\n\n")  # and no end
    async with asked(proxy) as reader:
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert (await reader.readuntil(b"\n\n\r\n")).endswith(b"data: " + MASK + b"\n\n\r\n")


async def test_a_response_far_beyond_the_buffers_is_processed_whole(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    authorizer.answer = SANITIZED
    body = SECRET + b"x" * 6_000_000  # first, so that no two pieces share it
    server.reply = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body)
    reply = await proxy.get("http://pay.example/large")
    assert (reply.status, len(reply.body)) == (200, 6_000_000 + len(MASK))
    assert reply.body.startswith(MASK + b"x")


async def test_nothing_more_passes_when_the_processor_fails_in_the_middle(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    authorizer.answer = SANITIZED
    authorizer.fails_at = b"fault"
    server.reply = EVENTS + chunk(b"data: first\n\n")
    async with asked(proxy) as reader:
        await reader.readuntil(b"data: first\n\n\r\n")
        await server.say(chunk(b"data: fault\n\n") + chunk(b"data: " + SECRET + b"\n\n") + b"0\r\n\r\n")
        assert await reader.read() == b""


async def test_a_processor_that_fails_before_the_headers_is_an_error_without_the_body(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    authorizer.answer = replace(SANITIZED, upstream_headers={"x-aegis-obligation": "both"})
    authorizer.fails_at = b""
    server.reply = b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n" + SECRET
    reply = await proxy.post("http://pay.example/", b"{}")
    assert reply.status >= 500
    assert SECRET not in reply.body
    assert server.seen == []


@pytest.mark.parametrize("path", [b"/fine", b"/a%2fb"], ids=["plain", "escaped slash"])
async def test_http_2_is_judged_like_http_1(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer, path: bytes
) -> None:
    status = await http2_status(proxy.forward, path)
    assert (status, len(server.seen)) == ((200, 1) if path == b"/fine" else (400, 0))
    assert [check.attributes.request.http.host for check in authorizer.checks] == ["pay.example"] * len(server.seen)


async def http2_status(port: int, path: bytes) -> int:
    """The status of one GET of pay.example, spoken in HTTP/2 without TLS."""
    async with httpx.AsyncClient(http1=False, http2=True, trust_env=False, timeout=5) as client:
        answer = await client.get(f"http://127.0.0.1:{port}{path.decode()}", headers={"host": "pay.example"})
    assert answer.http_version == "HTTP/2"
    return answer.status_code
