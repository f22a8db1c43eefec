"""The control plane over TLS: who shows which certificate reaches whoever judges the request, and nobody can pretend."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from starlette.requests import Request

from aegis_authz.adapters.tls import ServerTls
from aegis_authz.control.app import ControlServices
from aegis_authz.control.client_certificates import ClientCertificate, client_certificate
from aegis_authz.control.gate import AdminTokenHolder, Proven
from aegis_authz.control.host import ControlHost
from aegis_authz.core.person import Person
from aegis_authz.core.release import Sources
from tests.support.authority import Authority

Serving = Callable[[], AbstractAsyncContextManager[str]]


@dataclass
class Watcher:
    """The bootstrap owner's door, and what each request at it showed."""

    door: AdminTokenHolder
    shown: list[ClientCertificate | None] = field(default_factory=list)

    async def proven(self, request: Request) -> Proven | None:
        self.shown.append(client_certificate(request))
        return await self.door.proven(request)

    async def note(self, person: Person, action: str, subject: str, domain: str, reason: str) -> None:
        raise AssertionError("what is only read changes nothing")


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def watcher() -> Watcher:
    return Watcher(AdminTokenHolder("s" * 64))


@pytest.fixture
def url_of(
    plane: ControlServices, watcher: Watcher, authority: Authority, documents: Callable[..., Sources]
) -> Serving:
    plane.publisher.start(documents)
    services = replace(plane, authentication=watcher)

    @asynccontextmanager
    async def serving() -> AsyncIterator[str]:
        server = authority.leaf("server.pem", x509.DNSName("localhost"))
        server.chmod(0o600)
        listening = socket.create_server(("127.0.0.1", 0))
        host = ControlHost(services, (), ServerTls(server, server, authority.file).context)
        task = asyncio.create_task(host.serve(sockets=[listening]))
        try:
            yield f"https://localhost:{listening.getsockname()[1]}/v1/status"
        finally:
            host.should_exit = True
            await task
            listening.close()

    return serving


def client(authority: Authority, certificate: Path | None = None) -> httpx.AsyncClient:
    context = ssl.create_default_context(cafile=str(authority.file))
    if certificate is not None:
        context.load_cert_chain(certificate)
    headers = {"authorization": f"Bearer {'s' * 64}"}
    return httpx.AsyncClient(verify=context, trust_env=False, headers=headers)


async def test_what_a_client_proved_is_with_each_request_of_its_connection(
    url_of: Serving, watcher: Watcher, authority: Authority
) -> None:
    names = (
        x509.RFC822Name("ann@acme.example"),
        x509.UniformResourceIdentifier("spiffe://acme.example/ann"),
        x509.DNSName("laptop.acme.example"),
    )
    file = authority.leaf("ann.pem", *names)
    der = x509.load_pem_x509_certificate(file.read_bytes()).public_bytes(serialization.Encoding.DER)
    async with url_of() as url, client(authority, file) as ann:
        for _ in range(2):
            assert (await ann.get(url)).status_code == 200
    assert watcher.shown == 2 * [
        ClientCertificate(
            subject="",
            emails=("ann@acme.example",),
            uris=("spiffe://acme.example/ann",),
            hosts=("laptop.acme.example",),
            fingerprint=hashlib.sha256(der).hexdigest(),
        )
    ]


async def test_who_shows_none_has_none_whatever_its_headers_say(
    url_of: Serving, watcher: Watcher, authority: Authority
) -> None:
    forged = {
        "x-forwarded-client-cert": "Hash=00;Subject=CN=ann",
        "ssl-client-cert": "ann",
        "client_certificate": "ann",
    }
    async with url_of() as url, client(authority) as nobody:
        assert (await nobody.get(url, headers=forged)).status_code == 200
    assert watcher.shown == [None]


async def test_a_certificate_of_strangers_reaches_no_request(
    url_of: Serving, watcher: Watcher, authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "strangers").mkdir()
    eve = Authority(tmp_path / "strangers").leaf("eve.pem", x509.RFC822Name("ann@acme.example"))
    async with url_of() as url, client(authority, eve) as stranger:
        with pytest.raises(httpx.TransportError):
            await stranger.get(url)
        async with client(authority) as known:
            assert (await known.get(url)).status_code == 200
            in_the_clear = await asyncio.to_thread(_answer_in_the_clear, url)
    assert (watcher.shown, in_the_clear) == ([None], b"")


def _answer_in_the_clear(url: str) -> bytes:
    port = int(url.rpartition(":")[2].partition("/")[0])
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"GET /v1/status HTTP/1.1\r\nhost: localhost\r\n\r\n")
        try:
            return connection.recv(1024)
        except ConnectionError:
            return b""
