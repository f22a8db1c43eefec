"""Requests to other machines: by which address they go, and that none comes back to this one by a name."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from aiohttp import web
from cryptography import x509

from aegis_authz.adapters.elsewhere import ElsewhereTransport, refuse_inside, refuse_nothing
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


@pytest.mark.parametrize(
    ("address", "is_refused"),
    [
        ("127.0.0.1", True),
        ("10.1.2.3", True),
        ("172.16.0.1", True),
        ("192.168.1.1", True),
        ("100.64.0.1", True),
        ("169.254.169.254", True),
        ("224.0.1.1", True),
        ("0.0.0.0", True),  # noqa: S104  # nobody binds
        ("::1", True),
        ("fe80::1%eth0", True),
        ("fd12::1", True),
        ("::ffff:192.168.1.1", True),
        ("64:ff9b::a00:1", True),  # 10.0.0.1, translated
        ("2002:a00:1::1", True),  # 10.0.0.1, by 6to4
        ("93.184.216.34", False),
        ("2606:2800:220:1::1", False),
        ("::ffff:93.184.216.34", False),
    ],
)
def test_nothing_inside_is_taken_for_the_internet(address: str, is_refused: bool) -> None:
    assert bool(refuse_inside("localhost", address)) is is_refused
    assert refuse_nothing("agents.example", address) == ""
