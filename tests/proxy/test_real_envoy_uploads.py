"""Uploads that do not end as they should, through the real Envoy: nobody is asked, no tool hears of it, nothing is left."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import pytest

from tests.proxy.conftest import exchange, read_message, until

if TYPE_CHECKING:
    from tests.proxy.conftest import Authorizer, Proxy, ToolServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

HEAD = b"POST http://pay.example/v1/payments HTTP/1.1\r\nhost: pay.example\r\n"
SIZED = HEAD + b"content-length: 1000\r\n\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
PORTION = 16_384
MOST_PORTIONS = 4096
"""64 MiB: several times what the kernel's buffers hold of an upload that Envoy no longer reads."""
REQUEST_TIMEOUT = 30.0
"""Of Envoy's connection manager: from a request's first byte to its last."""


async def no_request_is_left(proxy: Proxy) -> bool:
    """Once Envoy has none under way and holds no bytes for any."""

    async def look() -> bool | None:
        reply = await proxy.admin("/stats?filter=http\\.forward\\.downstream_rq_active&format=json")
        return True if json.loads(reply.body)["stats"][0]["value"] == 0 else None

    return await until(look)


@pytest.mark.parametrize(
    "begun",
    [SIZED + b"x" * 10, CHUNKED + b"a\r\n0123456789\r\n", CHUNKED + b"ffff\r\nx", HEAD],
    ids=["sized", "between chunks", "within a chunk", "in the head"],
)
async def test_an_upload_that_is_cut_off_reaches_nobody_and_leaves_nothing(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer, begun: bytes
) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", proxy.forward)
    writer.write(begun)
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    assert await no_request_is_left(proxy)
    assert (authorizer.checks, server.seen) == ([], [])
    assert (await proxy.post("http://pay.example/v1/payments", b"{}")).status == 200


async def test_an_endless_upload_is_ended_at_the_limit(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.forward)
    writer.write(CHUNKED)
    answer = asyncio.create_task(exchange(reader, writer, b""))
    portions = 0
    try:
        while not answer.done() and portions < MOST_PORTIONS:
            writer.write(b"%x\r\n%b\r\n" % (PORTION, b"x" * PORTION))
            await writer.drain()
            portions += 1
            await asyncio.sleep(0)
    except ConnectionError:
        pass  # the answer says why
    assert (await asyncio.wait_for(answer, 10)).status == 413
    assert portions < MOST_PORTIONS, "it was let go on"
    assert await no_request_is_left(proxy)
    assert (authorizer.checks, server.seen) == ([], [])


@pytest.mark.slow
async def test_a_body_that_drips_is_given_up(proxy: Proxy, authorizer: Authorizer, server: ToolServer) -> None:
    began = time.monotonic()
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.forward)
    writer.write(SIZED)
    answer = asyncio.create_task(read_message(reader))
    while not answer.done() and time.monotonic() - began < 2 * REQUEST_TIMEOUT:
        writer.write(b"x")
        await asyncio.wait([answer], timeout=1.0)
    assert " 408 " in (await asyncio.wait_for(answer, 10)).line
    writer.close()
    assert REQUEST_TIMEOUT - 1 < time.monotonic() - began < REQUEST_TIMEOUT + 10
    assert await no_request_is_left(proxy)
    assert (authorizer.checks, server.seen) == ([], [])
