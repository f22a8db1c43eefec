"""Servers that stand in for the right ones in the fail-closed suite: with them everything ends that they took."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from asyncio import StreamReader, StreamWriter
from pathlib import Path

import pytest

from tests.support.fail_closed.mesh import impostor


async def listen_forever(reader: StreamReader, _writer: StreamWriter) -> None:
    while await reader.read(64):
        pass


@pytest.mark.parametrize("turns", range(10))
async def test_whoever_connected_just_before_an_impostor_left_is_hung_up_on(tmp_path: Path, turns: int) -> None:
    place = tmp_path / "redis.sock"
    place.touch()
    with socket.socket(socket.AF_UNIX) as client:
        async with impostor(place, listen_forever):
            client.setblocking(False)
            client.connect(str(place))
            for _ in range(turns):  # of the loop: the connection waits, is accepted, is served
                await asyncio.sleep(0)
        async with asyncio.timeout(5):
            with contextlib.suppress(ConnectionResetError):
                assert await asyncio.get_running_loop().sock_recv(client, 1) == b""
    assert place.is_file()
