"""Authorizers that are not there: the real Envoy denies, and finds its way back."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from aegis_authz.core.catalogue import Catalogue, Tool
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.server.http2 import frames

if TYPE_CHECKING:
    from conftest import Authorizer, Proxy, Starter, ToolServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

URL = "http://pay.example/"


def catalogue(server: ToolServer) -> Catalogue:
    return Catalogue.of(
        (
            Tool(
                "pay",
                "pay.example",
                None,
                f"http://127.0.0.1:{server.port}",
                (),
                "",
                "",
                None,
                False,
                False,
                NO_INTERFACE,
            ),
        )
    )


async def test_without_an_authorizer_everything_is_503_at_once_until_one_comes(
    envoys: Starter, server: ToolServer, authorizer: Authorizer, short_folder: Path
) -> None:
    late = type(authorizer)(short_folder / "late.sock")
    async with envoys.running("late", catalogue(server), late.place) as proxy:
        began = time.monotonic()
        reply = await proxy.post(URL, b"{}")
        assert time.monotonic() - began < 0.2
        problem = json.loads(reply.body)
        assert (reply.status, problem["decision"], problem["retry"]) == (503, "deny", "later")
        assert (reply.all("x-aegis-decision"), reply.all("retry-after"), server.seen) == (["deny"], ["1"], [])
        async with late.serving():
            await _until_status(proxy, 200)
        await _until_status(proxy, 503)
    assert len(server.seen) == len(late.checks)


@pytest.mark.slow
async def test_a_head_that_never_gets_whole_ends_its_connection(proxy: Proxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.forward)
    writer.write(b"POST http://pay.example/v1/payments HTTP/1.1\r\nhost: pay")
    async with asyncio.timeout(15):
        head = await reader.read()
    writer.close()
    assert head.startswith(b"HTTP/1.1 408 ")


@pytest.mark.slow
async def test_a_body_that_never_gets_whole_ends_its_connection(proxy: Proxy) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.forward)
    writer.write(b"POST http://pay.example/v1/payments HTTP/1.1\r\nhost: pay.example\r\ncontent-length: 1000\r\n\r\n")
    answer = asyncio.ensure_future(reader.read(64))
    async with asyncio.timeout(45):
        while not answer.done():
            writer.write(b"x")  # never idle, never whole
            await asyncio.wait({answer}, timeout=1)
    writer.close()
    assert (await answer).startswith(b"HTTP/1.1 408 ")


async def test_one_connection_has_a_bounded_number_of_calls_under_way(proxy: Proxy) -> None:
    """Nobody is told apart before a token is read: what a connection may hold is said by HTTP/2 itself."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.forward)
    writer.write(frames.PREFACE + frames.settings({}))
    async with asyncio.timeout(10):
        size, kind, _, _ = frames.read_head(await reader.readexactly(frames.HEAD_SIZE), 0)
        settings = frames.read_settings(await reader.readexactly(size))
    writer.close()
    assert kind == frames.SETTINGS
    assert settings[frames.MAX_CONCURRENT_STREAMS] == 50
    assert settings[frames.INITIAL_WINDOW_SIZE] == 65_536


async def test_an_authorizer_that_does_not_answer_is_a_503_after_the_timeout(
    envoys: Starter, server: ToolServer, authorizer: Authorizer, short_folder: Path
) -> None:
    class Silent(type(authorizer)):
        async def _check(self, message: bytes, context: object) -> bytes:
            await asyncio.Event().wait()
            raise AssertionError

    async with (
        Silent(short_folder / "silent.sock").serving() as silent,
        envoys.running("silent", catalogue(server), silent.place) as proxy,
    ):
        reply = await proxy.post(URL, b"{}")
    assert (reply.status, reply.all("x-aegis-decision"), server.seen) == (503, ["deny"], [])


async def test_a_worker_that_dies_costs_no_call(
    envoys: Starter, server: ToolServer, authorizer: Authorizer, short_folder: Path
) -> None:
    mortal = type(authorizer)(short_folder / "mortal.sock")
    async with AsyncExitStack() as stack:
        async with mortal.serving():
            running = envoys.running("two", catalogue(server), mortal.place, authorizer.place)
            proxy = await stack.enter_async_context(running)
        statuses = [(await proxy.get(URL)).status for _ in range(30)]
    assert statuses == [200] * 30
    assert len(server.seen) == len(authorizer.checks) + len(mortal.checks) == 30


async def _until_status(proxy: Proxy, status: int) -> None:
    async with asyncio.timeout(5):
        while (await proxy.get(URL)).status != status:
            await asyncio.sleep(0.02)
