from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from aegis_authz.local.envoy_admin import EnvoyUnreadable, read_admin


@pytest.fixture
def folder() -> Iterator[Path]:
    path = Path(tempfile.mkdtemp(prefix="aegis-test-"))
    yield path
    shutil.rmtree(path)


@asynccontextmanager
async def answering(socket: Path, status: int, body: bytes) -> AsyncIterator[None]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n\r\n" % (status, len(body)) + body)
        await writer.drain()
        writer.close()

    async with await asyncio.start_unix_server(serve, str(socket)):
        yield


async def test_what_envoy_says_is_read_as_json(folder: Path) -> None:
    async with answering(folder / "s", 200, b'{"configs": []}'):
        assert await read_admin(folder / "s", "/config_dump") == {"configs": []}


@pytest.mark.parametrize(("status", "body"), [(503, b"{}"), (200, b"no JSON"), (200, b'{"a": 1, "a": 2}')])
async def test_an_answer_that_is_none_says_where_it_came_from(folder: Path, status: int, body: bytes) -> None:
    async with answering(folder / "s", status, body):
        with pytest.raises(EnvoyUnreadable, match=str(folder)):
            await read_admin(folder / "s", "/config_dump")


async def test_nobody_there_is_no_answer(folder: Path) -> None:
    with pytest.raises(EnvoyUnreadable, match="does not answer"):
        await read_admin(folder / "none", "/config_dump")
