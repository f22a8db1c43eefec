"""A transparent listener in the real Envoy, without the rules that lead to it: nobody gets in. With them: tests/bypass."""

from __future__ import annotations

import asyncio
import socket
import struct
from typing import TYPE_CHECKING

import pytest

from aegis_authz.config.proxy import TransparentSettings
from aegis_authz.core.catalogue import Catalogue, Tool
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.local.tcp_ports import choose_ports
from tests.proxy.conftest import ToolServer

if TYPE_CHECKING:
    from tests.proxy.conftest import Authorizer, Starter

pytestmark = pytest.mark.asyncio(loop_scope="session")


def question(name: str) -> bytes:
    labels = b"".join(bytes([len(label)]) + label.encode() for label in name.split("."))
    return struct.pack("!6H", 7, 0x0100, 1, 0, 0, 0) + labels + struct.pack("!BHH", 0, 1, 1)


async def ask(port: int, name: str) -> bytes:
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
        datagrams.setblocking(False)
        await loop.sock_sendto(datagrams, question(name), ("127.0.0.1", port))
        async with asyncio.timeout(10):
            return await loop.sock_recv(datagrams, 512)


async def test_who_dials_it_is_closed_and_names_are_those_of_the_catalogue(
    envoys: Starter, one_authorizer: Authorizer, one_tool: ToolServer
) -> None:
    one_authorizer.reset()
    one_tool.reset()
    ports = choose_ports({"pod": 0, "names": 0}, {})
    transparent = TransparentSettings(listeners={"pod": ports["pod"]}, dns_port=ports["names"])
    tool = Tool(
        "pay", "pay.example", None, f"http://127.0.0.1:{one_tool.port}", (), "", "", None, False, False, NO_INTERFACE
    )
    async with envoys.running(
        "transparent", Catalogue.of((tool,)), one_authorizer.place, transparent=transparent
    ) as proxy:
        with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
            await proxy.send(b"GET / HTTP/1.1\r\nhost: pay.example\r\n\r\n", ports["pod"])
        known, unknown = await ask(ports["names"], "pay.example"), await ask(ports["names"], "evil.example")
        assert (await proxy.get("http://pay.example/")).status == 200
    assert known.endswith(socket.inet_aton("192.0.2.1"))
    assert (unknown[3] & 15, unknown[6:8]) == (3, b"\0\0")  # no such name, no answer
    assert len(one_authorizer.checks) == len(one_tool.seen) == 1
