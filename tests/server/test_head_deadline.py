"""A connection that asks nothing is not waited for, whatever else it sends."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from aegis_authz.server.status import StatusServer

HEAD = b"GET / HTTP/1.1\r\nhost: x\r\n"


@asynccontextmanager
async def connection(app: Starlette) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    server = StatusServer(app)
    server.config.timeout_keep_alive = 0.1  # type: ignore[assignment]  # whole seconds are for people
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    reader, writer = await asyncio.open_connection(*listener.getsockname())
    async with asyncio.timeout(10):
        yield reader, writer
    writer.close()
    server.end()
    await serving


async def ok(_: Request) -> Response:
    return Response(b"ok")


@pytest.mark.parametrize("sent", [b"", b"G", HEAD])
async def test_a_connection_without_a_whole_head_ends(sent: bytes) -> None:
    async with connection(Starlette(routes=[Route("/", ok)])) as (reader, writer):
        writer.write(sent)
        assert await reader.read() == b""


async def test_a_connection_ends_whose_next_head_does_not_come_whole() -> None:
    async with connection(Starlette(routes=[Route("/", ok)])) as (reader, writer):
        writer.write(HEAD + b"\r\n" + HEAD + b"\r\n" + HEAD)
        assert (await reader.read()).count(b"HTTP/1.1 200 OK") == 2


async def test_an_answer_may_take_longer_than_a_head() -> None:
    async def slow(_: Request) -> Response:
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(0.3, over.set)
        await over.wait()
        return Response(b"slow")

    async with connection(Starlette(routes=[Route("/", slow)])) as (reader, writer):
        writer.write(HEAD + b"\r\n")
        assert (await reader.read()).endswith(b"slow")
