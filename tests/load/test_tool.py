from __future__ import annotations

import asyncio

import httpx
import pytest

from aegis_authz.load.tool import ToolPortTaken, tool_at
from aegis_authz.local.tcp_ports import choose_ports


@pytest.fixture
def port() -> int:
    return choose_ports({"tool": 0}, {})["tool"]


async def test_every_request_is_answered_on_one_connection(port: int) -> None:
    async with tool_at(port), httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
        for _ in range(3):
            answer = await client.post("/pay", json={"amount": 10})
            assert (answer.status_code, answer.json()) == (200, {"status": "paid"})


async def test_its_port_is_free_again_afterwards_also_with_a_connection_left_open(port: int) -> None:
    async with tool_at(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        await reader.readuntil(b"}")
    assert await reader.read() == b""
    writer.close()
    async with tool_at(port):
        pass


async def test_what_is_no_http_is_hung_up_on(port: int) -> None:
    async with tool_at(port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"\x00\x01\r\n\r\n")
        try:
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await reader.readexactly(1)
        finally:
            writer.close()


async def test_a_taken_port_is_named(port: int) -> None:
    async with tool_at(port):
        with pytest.raises(ToolPortTaken, match=str(port)):
            async with tool_at(port):
                pass
