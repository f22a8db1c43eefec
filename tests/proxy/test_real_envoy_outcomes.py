"""What the real Envoy's access log tells of calls: who was reached, what was answered, and nothing of the denied."""

from __future__ import annotations

import asyncio
import socket
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from aegis_authz.core.catalogue import Catalogue, Tool
from aegis_authz.core.effect import Effect
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.wire.envoy.answer import Answer

if TYPE_CHECKING:
    from conftest import Authorizer, Proxy, Starter, ToolServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

URL = "http://pay.example/"
COST = '{"micros":7}'


def allowing(authorizer: Authorizer, decision_id: str, cost: str = COST) -> Answer:
    headers = {**authorizer.answer.client_headers, "x-aegis-decision-id": decision_id}
    metadata = {"decision_id": decision_id, **({"cost": cost} if cost else {})}
    return replace(authorizer.answer, client_headers=headers, metadata=metadata)


async def test_the_log_tells_of_calls_that_were_let_through_and_of_no_others(
    proxy: Proxy, server: ToolServer, authorizer: Authorizer
) -> None:
    denial = replace(authorizer.answer, effect=Effect.DENY, grpc_code=7, status=403, metadata={"decision_id": "denied"})
    authorizer.answer = denial
    await proxy.post(URL, b"{}")
    authorizer.answer = allowing(authorizer, "free", "")
    authorizer.answer = replace(authorizer.answer, effect=Effect.ALLOW, grpc_code=0, status=200)
    await proxy.post(URL, b"{}")
    authorizer.answer = allowing(authorizer, "paid")
    await proxy.post(URL, b'{"amount":1}')
    server.reply = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"
    authorizer.answer = allowing(authorizer, "failed")
    await proxy.post(URL, b"{}")
    free, paid, failed = [await authorizer.entry(name) for name in ("free", "paid", "failed")]
    assert (free.cost, paid.cost) == ("", COST)
    assert (paid.status, paid.details, paid.flags, paid.was_reached) == (200, "via_upstream", (), True)
    assert (paid.request_bytes, paid.response_bytes) == (12, 4)
    assert paid.upstream_ms is not None and 0 <= paid.upstream_ms <= paid.duration_ms < 10_000
    assert (failed.status, failed.details, failed.was_reached) == (503, "via_upstream", True)
    assert not [entry for entry in authorizer.entries if entry.decision_id == "denied"]


async def test_a_tool_that_is_not_there_was_not_reached(
    envoys: Starter, authorizer: Authorizer, server: ToolServer
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        nowhere = f"http://127.0.0.1:{taken.getsockname()[1]}"
        catalogue = Catalogue.of(
            (Tool("pay", "pay.example", None, nowhere, (), "", "", None, False, False, NO_INTERFACE),)
        )
        async with envoys.running("nobody", catalogue, authorizer.place) as proxy:
            await authorizer_seen(proxy)
            authorizer.answer = allowing(authorizer, "lost")
            assert (await proxy.post(URL, b"{}")).status == 503
            lost = await authorizer.entry("lost")
    assert (lost.was_reached, lost.flags, lost.upstream_ms) == (False, ("upstream_connection_failure",), None)


async def authorizer_seen(proxy: Proxy) -> None:
    """Wait until Envoy counts the authorizer as healthy."""
    async with asyncio.timeout(10):
        while b"health_flags::healthy" not in (await proxy.admin("/clusters")).body:
            await asyncio.sleep(0.02)


async def test_a_tool_that_hangs_up_and_a_client_that_leaves_were_reached(
    proxy: Proxy, server: ToolServer, authorizer: Authorizer
) -> None:
    server.reply = b""
    authorizer.answer = allowing(authorizer, "left")
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.forward)
    writer.write(b"GET http://pay.example/ HTTP/1.1\r\nhost: pay.example\r\n\r\n")
    async with asyncio.timeout(10):
        while not server.seen:
            await asyncio.sleep(0.01)
    writer.close()
    left = await authorizer.entry("left")
    assert (left.was_reached, left.status) == (True, 0)
    server.reply = b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"
    authorizer.answer = allowing(authorizer, "cut")
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.forward)
    writer.write(b"GET http://pay.example/ HTTP/1.1\r\nhost: pay.example\r\n\r\n")
    await reader.readuntil(b"half")
    writer.close()
    cut = await authorizer.entry("cut")
    assert (cut.was_reached, cut.status) == (True, 200)
    assert "downstream_connection_termination" in cut.flags


async def test_an_answer_that_is_watched_passes_as_it_is_and_its_copy_is_seen(
    proxy: Proxy, server: ToolServer, authorizer: Authorizer
) -> None:
    allowed = allowing(authorizer, "watched")
    authorizer.answer = replace(allowed, metadata={**allowed.metadata, "usage": "yes"})
    server.reply = b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 4\r\n\r\n"078'
    authorizer.is_watching = True
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.forward)
    writer.write(b"GET http://pay.example/ HTTP/1.1\r\nhost: pay.example\r\n\r\n")
    async with asyncio.timeout(10):
        assert await reader.readuntil(b'"078')
        while not any(piece.end_of_stream for piece in authorizer.pieces):
            await asyncio.sleep(0.01)
    writer.close()
    head, *bodies = authorizer.pieces
    assert head.observed and head.metadata is not None and head.metadata["cost"] == COST
    assert b"".join(piece.body for piece in bodies) == b'"078'


async def test_an_answer_passes_though_nobody_watches_it(
    proxy: Proxy, server: ToolServer, authorizer: Authorizer
) -> None:
    allowed = allowing(authorizer, "unwatched")
    authorizer.answer = replace(allowed, metadata={**allowed.metadata, "usage": "yes"})
    server.reply = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nfine"
    authorizer.fails_at = b""
    assert (await proxy.post(URL, b"{}")).body == b"fine"
