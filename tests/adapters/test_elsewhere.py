"""Requests to other machines: by which address they go, and that none comes back to this one by a name."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from cryptography import x509

from aegis_authz.adapters.elsewhere import ElsewhereTransport
from tests.support.authority import Authority


@pytest.fixture
async def server() -> AsyncIterator[tuple[int, list[str]]]:
    """The port of a server on loopback, and the host of each request that came."""
    hosts: list[str] = []

    async def answers(request: web.BaseRequest) -> web.Response:
        hosts.append(request.host)
        return web.Response(text="here")

    runner = web.ServerRunner(web.Server(answers))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield runner.addresses[0][1], hosts
    await runner.cleanup()


def resolving(*addresses: str) -> httpx.AsyncClient:
    async def resolver(host: str, port: int) -> list[str]:
        return list(addresses)

    return httpx.AsyncClient(transport=ElsewhereTransport(resolver), timeout=5)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::", "::1%lo"])  # noqa: S104  # nobody binds
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_name_that_leads_to_this_machine_is_not_connected_to(
    server: tuple[int, list[str]], scheme: str, address: str
) -> None:
    port, hosts = server
    async with resolving("192.0.2.1", address) as client:
        with pytest.raises(httpx.ConnectError, match=r"keys\.example leads to this machine itself"):
            await client.get(f"{scheme}://keys.example:{port}/")
    assert hosts == []


async def test_an_address_that_says_loopback_is_taken_at_its_word(server: tuple[int, list[str]]) -> None:
    port, hosts = server
    async with httpx.AsyncClient(transport=ElsewhereTransport()) as client:
        for host in ("127.0.0.1", "localhost", "LOCALHOST."):
            assert (await client.get(f"http://{host}:{port}/")).text == "here"
    assert hosts == [f"127.0.0.1:{port}", f"localhost:{port}", f"localhost.:{port}"]


async def test_the_next_address_is_tried_where_the_first_does_not_answer(server: tuple[int, list[str]]) -> None:
    port, hosts = server
    async with resolving("::1", "127.0.0.1") as client:  # nobody listens on the first
        assert (await client.get(f"http://localhost:{port}/")).text == "here"
    async with resolving("::1") as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://localhost:{port}/")
    async with resolving() as client:
        with pytest.raises(httpx.ConnectError, match="has no address"):
            await client.get(f"http://keys.example:{port}/")
    assert hosts == [f"localhost:{port}"]


@pytest.mark.parametrize(("name", "is_believed"), [("localhost", True), ("other.example", False)])
async def test_a_server_shows_the_certificate_of_the_name_and_not_of_the_address(
    tmp_path: Path, name: str, is_believed: bool
) -> None:
    authority = Authority(tmp_path)

    async def answers(_: web.BaseRequest) -> web.Response:
        return web.Response(text="here")

    runner = web.ServerRunner(web.Server(answers))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=authority.context(x509.DNSName(name)))
    await site.start()
    url = f"https://localhost:{runner.addresses[0][1]}/"
    trusted = ssl.create_default_context(cafile=str(authority.file))
    try:
        async with httpx.AsyncClient(transport=ElsewhereTransport(authorities=trusted)) as client:
            if is_believed:
                assert (await client.get(url)).text == "here"
            else:
                with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
                    await client.get(url)
    finally:
        await runner.cleanup()
