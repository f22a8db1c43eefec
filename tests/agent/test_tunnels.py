"""CONNECT through the signer, before a proxy that keeps what it is sent."""

from __future__ import annotations

import asyncio
import os
import socket
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import jwt
import pytest
import pytest_asyncio

from aegis_authz.agent.mesh import MeshAddress
from aegis_authz.agent.serving import Listening, serving
from aegis_authz.agent.signer import Signer
from aegis_authz.agent.tunnels import Handshake, Tunnels
from tests.support.agent_mesh import SmallMesh, calling, digest, new_key, small_mesh

PATIENCE = 10.0
END = b"\r\n\r\n"


@dataclass
class Proxy:
    """Answers each CONNECT with `answer`, and what follows with itself in capitals."""

    answer: bytes = b"HTTP/1.1 200 OK\r\n\r\n"
    heads: list[dict[str, str]] = field(default_factory=list)
    port: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, reader: StreamReader, writer: StreamWriter) -> None:
        line, *rest = (await reader.readuntil(END)).decode().strip().split("\r\n")
        self.heads.append({"": line} | dict(entry.split(": ", 1) for entry in rest))
        writer.write(self.answer)
        while chunk := await reader.read(1000):
            writer.write(chunk.upper())
        self.ended.set()
        writer.close()


@dataclass
class Signing:
    listening: Listening
    mesh: SmallMesh
    proxy: Proxy
    reports: list[str]
    tunnels: Tunnels

    @asynccontextmanager
    async def dialled(self, first: bytes) -> AsyncIterator[tuple[StreamReader, StreamWriter]]:
        host, _, port = self.listening.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(first)
        try:
            async with asyncio.timeout(PATIENCE):
                yield reader, writer
        finally:
            writer.close()


@pytest_asyncio.fixture
async def signing() -> AsyncIterator[Signing]:
    proxy, key = Proxy(), new_key()
    server = await asyncio.start_server(proxy, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    async with small_mesh() as mesh, calling(mesh, key) as caller:
        mesh.enrol(key)
        caller.mesh = MeshAddress(f"http://127.0.0.1:{proxy.port}", mesh.url)
        reports: list[str] = []
        tunnels = Tunnels(caller, os.getuid(), reports.append)
        async with serving(Signer(caller, os.getuid()), "127.0.0.1:0", tunnels) as listening:
            yield Signing(listening, mesh, proxy, reports, tunnels)
    server.close()


CONNECT = b"CONNECT API.example:443 HTTP/1.1\r\nhost: API.example:443\r\n\r\n"


async def test_a_tunnel_is_opened_with_a_token_and_a_proof_of_the_connect(signing: Signing) -> None:
    async with signing.dialled(CONNECT) as (reader, _):
        assert b" 200 " in await reader.readuntil(END)
    (head,) = signing.proxy.heads
    assert (head[""], head["host"]) == ("CONNECT API.example:443 HTTP/1.1", "API.example:443")
    scheme, _, token = head["proxy-authorization"].partition(" ")
    assert scheme == "Bearer"
    claims = jwt.decode(head["x-aegis-proof"], options={"verify_signature": False})
    assert (claims["htm"], claims["htu"], claims["ath"]) == ("CONNECT", "https://api.example/", digest(token.encode()))
    assert "bh" not in claims


async def test_what_follows_passes_in_both_directions_and_an_end_is_passed_on(signing: Signing) -> None:
    async with signing.dialled(CONNECT + b"early ") as (reader, writer):
        await reader.readuntil(END)
        assert await reader.readexactly(6) == b"EARLY "
        large = b"x" * 1_000_000
        writer.write(large)
        assert await reader.readexactly(len(large)) == large.upper()
        writer.write_eof()
        await signing.proxy.ended.wait()
        assert await reader.read() == b""


async def test_a_refusal_of_the_mesh_is_passed_on(signing: Signing) -> None:
    signing.proxy.answer = b"HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno"
    async with signing.dialled(CONNECT) as (reader, _):
        assert b" 403 " in await reader.readuntil(END)
        assert await reader.readexactly(2) == b"no"


@pytest.mark.parametrize(
    "head", [b"CONNECT api.example HTTP/1.1", b"CONNECT :443 HTTP/1.1", b"CONNECT a:b HTTP/1.1", b"CONNECT  HTTP/1.1"]
)
async def test_what_names_no_host_and_port_is_refused_here(signing: Signing, head: bytes) -> None:
    async with signing.dialled(head + END) as (reader, _):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b"NOT_A_CALL" in answer
    assert signing.proxy.heads == []


async def test_without_a_token_no_tunnel_is_opened(signing: Signing) -> None:
    signing.mesh.is_away = True
    async with signing.dialled(CONNECT) as (reader, _):
        answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"TOKEN_UNAVAILABLE" in answer
    assert signing.proxy.heads == []


async def test_a_mesh_that_is_not_there_is_said_so(signing: Signing) -> None:
    with socket.socket() as bound:  # and does not listen
        bound.bind(("127.0.0.1", 0))
        tunnels_mesh = MeshAddress(f"http://127.0.0.1:{bound.getsockname()[1]}", signing.mesh.url)
    key = new_key()
    signing.mesh.enrol(key)
    async with calling(signing.mesh, key) as caller:
        caller.mesh = tunnels_mesh
        handlers = Signer(caller, os.getuid()), "127.0.0.1:0", Tunnels(caller, os.getuid(), print)
        async with serving(*handlers) as place, replace(signing, listening=place).dialled(CONNECT) as (reader, _):
            answer = await reader.read()
    assert b"MESH_UNREACHABLE" in answer


async def test_a_request_that_is_no_connect_goes_on_as_before(signing: Signing) -> None:
    own = signing.listening.address.encode()
    async with signing.dialled(b"C") as (reader, writer):
        writer.write(b"OPY /x HTTP/1.1\r\nhost: " + own + b"\r\nconnection: close\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 ")
    assert signing.proxy.heads == []


HELLO, ALERT, FINISHED = b"\x16\x03\x01hello", b"\x15\x03\x03\x00\x02\x02\x30", b"\x17" * 64


@pytest.mark.parametrize(
    ("first", "then", "is_told"),
    [
        (HELLO, ALERT, True),
        (HELLO, b"", True),
        (HELLO, FINISHED, False),
        (b"no TLS", ALERT, False),
        (b"no TLS", b"", False),
    ],
)
async def test_a_program_that_gives_up_its_handshake_is_told_of_once(
    signing: Signing, first: bytes, then: bytes, is_told: bool
) -> None:
    for _ in range(2):
        signing.proxy.ended.clear()
        async with signing.dialled(CONNECT) as (reader, writer):
            await reader.readuntil(END)
            writer.write(first)
            await reader.readexactly(len(first))
            writer.write(then)
            writer.write_eof()
            await reader.read()
            await signing.proxy.ended.wait()
    assert len(signing.reports) == int(is_told)
    if is_told:
        assert "API.example:443" in signing.reports[0]
        assert 'eval "$(aegis ca env)"' in signing.reports[0]


async def test_a_tunnel_that_ends_before_a_certificate_is_shown_says_nothing(signing: Signing) -> None:
    async with signing.dialled(CONNECT) as (reader, writer):
        await reader.readuntil(END)
        writer.write_eof()
        await signing.proxy.ended.wait()
    assert signing.reports == []


def test_a_handshake_that_the_mesh_refuses_is_none_that_the_client_gave_up() -> None:
    refused, ended = Handshake(), Handshake()
    for handshake, answer in ((refused, ALERT), (ended, HELLO)):
        handshake.from_client(HELLO)
        handshake.from_mesh(answer)
        handshake.from_mesh(HELLO)
        handshake.from_client(ALERT)
    assert (refused.is_given_up, ended.is_given_up) == (False, True)
    assert not Handshake().is_given_up


async def test_what_is_left_of_tunnels_is_cut_at_the_end(signing: Signing) -> None:
    async with signing.dialled(CONNECT) as (reader, _):
        await reader.readuntil(END)
        async with asyncio.timeout(PATIENCE):
            await signing.tunnels.end()
        assert await reader.read() == b""
    await signing.proxy.ended.wait()
