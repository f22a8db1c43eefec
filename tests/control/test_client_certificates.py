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

from aegis_authz.adapters.files.keys import Keys
from aegis_authz.adapters.tls import ServerTls
from aegis_authz.control.app import ControlServices
from aegis_authz.control.client_certificates import ClientCertificate, client_certificate
from aegis_authz.control.gate import AdminTokenHolder, Proven
from aegis_authz.control.host import ControlHost
from aegis_authz.control.people.signing_in import SignIn
from aegis_authz.core.person import Person
from aegis_authz.core.release import Sources
from aegis_authz.core.sign_in import CertificateKind, CertificateName
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.ports.people import Account
from aegis_authz.testing.people import MemoryPeople
from tests.support.authority import Authority
from tests.support.people import person

Serving = Callable[[], AbstractAsyncContextManager[str]]
URI = CertificateName(CertificateKind.URI, "spiffe://acme.example/ann")


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
    return _served(replace(plane, authentication=watcher), authority)


def _served(services: ControlServices, authority: Authority) -> Serving:
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


@dataclass(frozen=True)
class House:
    """A control plane over TLS, its people, and certificates of its authority."""

    serving: Serving
    people: MemoryPeople
    sign_in: SignIn
    authority: Authority
    admin_token: str

    def ann(self, name: str = "ann.pem", *more: x509.GeneralName) -> Path:
        return self.authority.leaf(name, x509.UniformResourceIdentifier(URI.value), *more)

    @asynccontextmanager
    async def shown(self, certificate: Path | None, **headers: str) -> AsyncIterator[httpx.AsyncClient]:
        context = ssl.create_default_context(cafile=str(self.authority.file))
        if certificate is not None:
            context.load_cert_chain(certificate)
        async with self.serving() as url:
            base = url.removesuffix("/v1/status")
            async with httpx.AsyncClient(verify=context, trust_env=False, base_url=base, headers=headers) as user:
                yield user


@pytest.fixture
async def house(
    new_plane: Callable[..., ControlServices], keys: Keys, documents: Callable[..., Sources], authority: Authority
) -> House:
    people = MemoryPeople(for_tests=True)
    for name, role in (("ann", "owner@acme/emea"), ("bob", "owner")):
        await people.add(Account(person(name, role), is_disabled=False, created=Epoch(1.0)))
    await people.add_certificate("ann", URI)
    plane = new_plane(people=people)
    plane.publisher.start(documents)
    return House(_served(plane, authority), people, plane.people.door.sign_in, authority, keys.admin_token)


async def who(user: httpx.AsyncClient) -> tuple[int, str]:
    answer = await user.get("/v1/session")
    return answer.status_code, answer.json().get("person", {}).get("id", "")


async def test_who_shows_a_certificate_of_a_person_is_that_person_until_it_is_taken_away(house: House) -> None:
    async with house.shown(house.ann()) as user:
        assert await who(user) == (200, "ann")
        await house.people.remove_certificate("ann", URI)
        assert (await who(user))[0] == 401
        await house.people.add_certificate("ann", URI)
        account = await house.people.account("ann")
        await house.people.replace(replace(account, is_disabled=True))
        assert (await who(user))[0] == 401


@pytest.mark.parametrize("kind", list(CertificateKind))
async def test_each_name_of_a_certificate_tells_a_person_where_it_is_in_the_record(
    house: House, kind: CertificateKind
) -> None:
    file = house.authority.leaf(
        "bob.pem", x509.RFC822Name("bob@acme.example"), x509.UniformResourceIdentifier("urn:bob")
    )
    der = x509.load_pem_x509_certificate(file.read_bytes()).public_bytes(serialization.Encoding.DER)
    values = {
        CertificateKind.FINGERPRINT: hashlib.sha256(der).hexdigest(),
        CertificateKind.EMAIL: "bob@acme.example",
        CertificateKind.URI: "urn:bob",
        CertificateKind.SUBJECT: "CN=bob",
    }
    async with house.shown(file) as user:
        assert (await who(user))[0] == 401
        await house.people.add_certificate("bob", CertificateName(kind, values[kind]))
        # this certificate has no subject, and no other of its names is one
        assert await who(user) == ((401, "") if kind is CertificateKind.SUBJECT else (200, "bob"))


async def test_two_people_on_one_connection_are_nobody(house: House) -> None:
    bobs, anns = [
        await house.sign_in.make_key(person(name, role), "ci", (), Seconds(60.0))
        for name, role in (("bob", "owner"), ("ann", "owner@acme/emea"))
    ]
    session = await house.sign_in.open_session(person("bob", "owner"), "192.0.2.1")
    async with house.shown(house.ann()) as user:
        for headers, status in (
            ({"authorization": f"Bearer {bobs.text}"}, 403),
            ({"authorization": f"Bearer {house.admin_token}"}, 403),
            ({"cookie": f"aegis-session={session.secret}"}, 403),
            ({"authorization": f"Bearer {anns.text}"}, 200),
            ({"authorization": "Bearer worth-nothing"}, 401),
            ({"cookie": "aegis-session=worth-nothing"}, 401),
        ):
            answer = await user.get("/v1/session", headers=headers)
            assert answer.status_code == status, headers
            assert answer.headers["content-type"] == "application/problem+json" if status != 200 else True
    async with house.shown(None, authorization=f"Bearer {bobs.text}") as user:
        assert await who(user) == (200, "bob")


async def test_a_certificate_of_two_people_is_nobodys(house: House) -> None:
    await house.people.add_certificate("bob", CertificateName(CertificateKind.EMAIL, "bob@acme.example"))
    async with house.shown(house.ann("both.pem", x509.RFC822Name("bob@acme.example"))) as user:
        assert (await who(user))[0] == 401


async def test_a_change_by_a_certificate_is_not_made_for_a_page_of_another_site_and_makes_no_key(house: House) -> None:
    async with house.shown(house.ann()) as user:
        body = {"id": "zoe", "name": "Zoe", "roles": ["viewer@acme/emea"]}
        for headers in (
            {"origin": "https://evil.example"},
            {"origin": "null"},
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site"},
        ):
            assert (await user.post("/v1/people", json=body, headers=headers)).status_code == 403, headers
        own = {"origin": str(user.base_url).rstrip("/"), "sec-fetch-site": "same-origin"}
        assert (await user.post("/v1/people", json=body, headers=own)).status_code == 200
        assert (await user.post("/v1/api-keys", json={"label": "x"})).status_code == 403
    assert (await house.people.lines(0, 9))[-1].act.person == "ann"


async def test_certificates_are_given_and_taken_by_who_appoints_and_that_is_on_record(house: House) -> None:
    async with house.shown(house.ann()) as ann:
        await ann.post("/v1/people", json={"id": "zoe", "name": "Zoe", "roles": ["viewer@acme/emea"]})
        given = {"kind": "fingerprint", "value": "ab" * 32, "note": "laptop"}
        assert (await ann.post("/v1/people/zoe/certificates", json=given)).status_code == 204
        assert (await ann.get("/v1/people/zoe/certificates")).json() == {
            "certificates": [{"kind": "fingerprint", "value": "ab" * 32}]
        }
        for wrong in ({"value": "zoe"}, {"kind": "serial"}, {"kind": "email"}, {"value": "a\u0000"}):
            assert (await ann.post("/v1/people/zoe/certificates", json={**given, **wrong})).status_code == 400, wrong
        assert (await ann.post("/v1/people/bob/certificates", json=given)).status_code == 404
        assert (await ann.post("/v1/people/zoe/certificates/remove", json=given)).status_code == 204
        assert (await ann.post("/v1/people/zoe/certificates/remove", json=given)).status_code == 404
    acts = [line.act for line in await house.people.lines(0, 9)]
    assert [(act.action, act.subject, act.reason) for act in acts[-2:]] == [
        ("people:certificate", "zoe", f"fingerprint:{'ab' * 32} laptop"),
        ("people:no-certificate", "zoe", f"fingerprint:{'ab' * 32} laptop"),
    ]
    assert (await house.people.sponsors())["zoe"] == {"ann"}


async def test_the_owner_of_a_tenant_shuts_nobody_out_by_giving_a_name_of_theirs_away(house: House) -> None:
    await house.people.add_certificate("bob", CertificateName(CertificateKind.URI, "spiffe://acme.example/bob"))
    names = (x509.UniformResourceIdentifier("spiffe://acme.example/bob"), x509.RFC822Name("bob@acme.example"))
    bobs = house.authority.leaf("bob.pem", *names)
    async with house.shown(house.ann()) as ann:
        await ann.post("/v1/people", json={"id": "zoe", "name": "Zoe", "roles": ["viewer@acme/emea"]})
        for person_id in ("zoe", "ann"):
            stolen = {"kind": "email", "value": "bob@acme.example", "note": ""}
            assert (await ann.post(f"/v1/people/{person_id}/certificates", json=stolen)).status_code == 403
    async with house.shown(bobs) as bob:
        assert await who(bob) == (200, "bob")
