"""What the real Envoy makes of HTTPS: who shakes hands with whom, what the authorizer is shown, what goes nowhere."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import httpx
import pytest
import pytest_asyncio
import yaml
from cryptography import x509

from aegis_authz.adapters.system import SystemClock
from aegis_authz.config.proxy import InterceptionSettings, ToolConnection
from aegis_authz.core.catalogue import JSON_ALONE, ONE_OPERATION, Action, Catalogue, Tool
from aegis_authz.core.effect import Effect
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.core.units import Epoch
from aegis_authz.intercept.authority import Authority, new_authority
from aegis_authz.intercept.leaves import Allowance, Leaves
from aegis_authz.proxy.render import write_xds
from aegis_authz.server.certificates import CertificateService
from tests.proxy.conftest import ALLOWED, ToolServer, exchange, until
from tests.support import authority as public

if TYPE_CHECKING:
    from tests.proxy.conftest import Authorizer, Proxy, Reply, Starter

pytestmark = pytest.mark.asyncio(loop_scope="session")

PINNED = "pinned.example"
PAY, CRM, HIGH, WRONG = "pay.example", "crm.example", "high.example", "wrong.example"
TIMEOUT = 10.0


@dataclass
class Https:
    """An Envoy that opens HTTPS, the authority of its certificates, and the tools behind it."""

    proxy: Proxy
    authority: Authority
    pay: ToolServer
    crm: ToolServer
    authorizer: Authorizer
    tools: tuple[Tool, ...]
    public: Path = Path()

    @property
    def trusting(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self.authority.certificate.decode())

    async def connect(
        self, target: str, *headers: str, version: str = "1.1"
    ) -> tuple[asyncio.StreamReader, asyncio.StreamWriter, bytes]:
        """A connection on which CONNECT was answered, and the head of the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.proxy.forward)
        lines = (f"CONNECT {target} HTTP/{version}", f"host: {target}", *headers, "", "")
        writer.write("\r\n".join(lines).encode())
        async with asyncio.timeout(TIMEOUT):
            return reader, writer, await reader.readuntil(b"\r\n\r\n")

    async def get(
        self, target: str, sni: str, host: str, *headers: str, path: str = "/v1", connect: tuple[str, ...] = ()
    ) -> Reply:
        """A request inside a tunnel: each of the three names as the test wants it."""

        reader, writer, head = await self.connect(target, *connect)
        try:
            assert b" 200 " in head.splitlines()[0], head
            async with asyncio.timeout(TIMEOUT):
                await writer.start_tls(self.trusting, server_hostname=sni)
            lines = (f"GET {path} HTTP/1.1", f"host: {host}", *headers, "", "")
            return await exchange(reader, writer, "\r\n".join(lines).encode())
        finally:
            writer.transport.abort()


@asynccontextmanager
async def certificates(place: str, authority: Authority) -> AsyncIterator[CertificateService]:
    service = CertificateService(lambda: authority, Leaves(100), Allowance(20, 20), SystemClock())
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((service.handler,))
    server.add_insecure_port(place)
    await server.start()
    try:
        yield service
    finally:
        await server.stop(None)


def secure(name: str, host: str, server: ToolServer, port: int | None = None) -> Tool:
    return Tool(name, host, port, f"https://localhost:{server.port}", (), "", "", None, False, False, NO_INTERFACE)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def https_mesh(
    envoys: Starter, one_authorizer: Authorizer, short_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Https]:

    vouching = public.Authority(tmp_path_factory.mktemp("public"))
    context = vouching.context(x509.DNSName("localhost"))
    authority = new_authority(Epoch(time.time()))
    place = f"unix:{short_folder / 'sds.sock'}"
    async with (
        ToolServer().serving(context) as pay,
        ToolServer().serving(context) as crm,
        certificates(place, authority),
    ):
        wrong = Tool(
            "wrong", WRONG, None, f"https://127.0.0.1:{pay.port}", (), "", "", None, False, False, NO_INTERFACE
        )
        connect = Action("connect", "CONNECT", ("",), (), False, JSON_ALONE, ONE_OPERATION)
        pinned = Tool(
            "pinned", PINNED, None, f"tls://localhost:{crm.port}", (connect,), "", "", None, False, False, NO_INTERFACE
        )
        tools = (pinned, secure("pay", PAY, pay), secure("crm", CRM, crm), secure("high", HIGH, crm, 8443), wrong)
        opened = InterceptionSettings(certificates=place)
        async with envoys.running(
            "https", Catalogue.of(tools), one_authorizer.place, ca_file=vouching.file, interception=opened
        ) as proxy:
            yield Https(proxy, authority, pay, crm, one_authorizer, tools, vouching.file)


@pytest.fixture
def https(https_mesh: Https) -> Https:
    """All of it, fresh."""
    https_mesh.pay.reset()
    https_mesh.crm.reset()
    https_mesh.authorizer.reset()
    return https_mesh


async def test_a_request_inside_a_tunnel_is_judged_and_reaches_its_tool(https: Https) -> None:
    reply = await https.get(f"{PAY}:443", PAY, PAY, "x-aegis-token: t", path="/v1/payments?a=1")
    assert (reply.status, reply.body) == (200, b"done")
    assert https.pay.seen[0].line == "GET /v1/payments?a=1 HTTP/1.1"
    assert https.pay.seen[0].all("host") == [PAY]
    connect, call = (check.attributes.request.http for check in https.authorizer.checks)
    assert (connect.method, connect.host, connect.path) == ("CONNECT", f"{PAY}:443", "")
    assert (call.method, call.scheme, call.host, call.path) == ("GET", "https", PAY, "/v1/payments?a=1")


async def test_the_authorizer_is_told_what_a_tunnel_is_and_what_is_inside_one(https: Https) -> None:
    await https.get(f"{PAY}:443", PAY, PAY)
    connect, call = (dict(check.attributes.context_extensions) for check in https.authorizer.checks)
    assert connect == {"aegis.listener": "forward", "aegis.route": "none", "aegis.tunnel": "opened"}
    assert call["aegis.tunnel"] == "inside"
    assert (call["aegis.listener"], call["aegis.route"]) == ("forward", secure("pay", PAY, https.pay).route)


async def test_what_is_inside_knows_the_connect_and_its_client(https: Https) -> None:
    credentials = ("proxy-authorization: Basic YWdlbnQ6aw==", "x-aegis-proof: p", "x-request-id: r-1")
    await https.get(f"{PAY}:443", PAY, PAY, connect=credentials)
    call = https.authorizer.checks[1].attributes
    headers = {entry.key: entry.raw_value.decode() for entry in call.request.http.header_map.headers}
    assert headers["x-aegis-connect"] == f"{PAY}:443"
    assert headers["x-aegis-connect-id"] == "r-1"
    assert headers["x-aegis-connect-proof"] == "p"
    assert headers["proxy-authorization"] == "Basic YWdlbnQ6aw=="
    assert "x-aegis-tls" not in headers  # the client's way to us was not encrypted, whatever the tunnel is
    assert call.source.address.socket_address.address == "127.0.0.1"
    names = {name for name, _ in https.pay.seen[0].headers}
    assert not names & {"x-aegis-connect", "x-aegis-connect-id", "x-aegis-connect-proof", "proxy-authorization"}
    assert not names & {"x-forwarded-proto", "x-envoy-external-address", "x-aegis-tls"}


async def test_a_client_cannot_say_itself_what_its_connect_was(https: Https) -> None:
    lies = (
        "x-aegis-connect: other.example:443",
        "x-aegis-connect-id: forged",
        "x-aegis-connect-proof: forged",
        "proxy-authorization: Bearer forged",
        "x-aegis-tls: TLSv1.3",
        "x-forwarded-client-cert: URI=spiffe://forged",
    )
    await https.get(f"{PAY}:443", PAY, PAY, *lies)
    headers = {
        entry.key: entry.raw_value.decode()
        for entry in https.authorizer.checks[1].attributes.request.http.header_map.headers
    }
    assert headers["x-aegis-connect"] == f"{PAY}:443"
    assert "forged" not in json.dumps(headers)
    assert "x-aegis-tls" not in headers


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_connect_is_taken_in_both_versions_of_http_1(https: Https, version: str) -> None:
    _, writer, head = await https.connect(f"{PAY}:443", version=version)
    writer.close()
    assert b" 200 " in head.splitlines()[0]


async def test_a_port_of_the_catalogue_has_tunnels_of_its_own(https: Https) -> None:
    assert (await https.get(f"{HIGH}:8443", HIGH, f"{HIGH}:8443")).status == 200
    assert https.crm.seen[0].all("host") == [f"{HIGH}:8443"]
    assert (await https.get(f"{HIGH}:8443", HIGH, HIGH)).status == 403  # that is port 443


async def test_a_denial_is_read_inside_the_tunnel(https: Https) -> None:
    https.authorizer.answer = replace(
        ALLOWED, effect=Effect.DENY, grpc_code=7, status=403, body=b'{"decision":"deny"}', metadata={}
    )
    _, writer, head = await https.connect(f"{PAY}:443")
    writer.close()
    assert b" 403 " in head.splitlines()[0]


ATTACKS = yaml.safe_load((Path(__file__).parent / "https_attacks.yaml").read_text("utf-8"))


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack["why"])
async def test_nothing_reaches_a_tool_that_was_not_asked_for(https: Https, attack: dict[str, str]) -> None:
    outcome = await attempt(https, attack)
    assert outcome == attack["outcome"]
    if attack["outcome"] != "200":
        assert (https.pay.seen, https.crm.seen) == ([], [])


async def attempt(https: Https, attack: dict[str, str]) -> str:
    """The status that the client read, "closed" where the connection ended in place of an answer."""
    reader, writer, head = await https.connect(attack["connect"])
    status = head.split()[1].decode()
    if status != "200" or "inside" not in attack:
        if "inside" in attack or status != "200":
            writer.close()
            return f"connect {status}"
        try:
            async with asyncio.timeout(TIMEOUT):
                trusting = https.trusting
                trusting.check_hostname = False
                await writer.start_tls(trusting, server_hostname=attack.get("sni"))
            lines = ("GET / HTTP/1.1", f"host: {attack['host']}", "", "")
            reply = await exchange(reader, writer, "\r\n".join(lines).encode())
        except (ssl.SSLError, ConnectionError, asyncio.IncompleteReadError):
            writer.transport.abort()
            return "closed"
        return str(reply.status)
    writer.write(attack["inside"].encode())
    async with asyncio.timeout(TIMEOUT):
        rest = await reader.read()
    writer.close()
    return rest.decode("latin-1").partition("\r\n")[0] or "closed"


@pytest.mark.parametrize("http2", [False, True], ids=["http/1.1", "h2"])
async def test_a_client_chooses_its_version_of_http(https: Https, http2: bool) -> None:
    proxy = f"http://127.0.0.1:{https.proxy.forward}"
    async with httpx.AsyncClient(proxy=proxy, verify=https.trusting, http2=http2, http1=not http2) as client:
        reply = await client.post(f"https://{PAY}/v1", json={"amount": 1})
    assert (reply.status_code, reply.http_version) == (200, "HTTP/2" if http2 else "HTTP/1.1")
    assert https.pay.seen[0].body == b'{"amount":1}'


async def test_a_tool_whose_certificate_is_not_its_own_is_not_spoken_to(https: Https) -> None:
    """`real` is a name that the certificate of the server does not have."""
    reply = await https.get(f"{WRONG}:443", WRONG, WRONG)
    assert reply.status == 503
    assert https.pay.seen == []


async def test_a_stream_of_events_flows(https: Https) -> None:
    https.pay.reply = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
    reader, writer, _ = await https.connect(f"{PAY}:443")
    await writer.start_tls(https.trusting, server_hostname=PAY)
    writer.write(f"GET /events HTTP/1.1\r\nhost: {PAY}\r\n\r\n".encode())
    async with asyncio.timeout(TIMEOUT):
        assert b" 200 " in (await reader.readuntil(b"\r\n\r\n")).splitlines()[0]
        for number in range(3):
            event = f"data: {number}\n\n".encode()
            await https.pay.say(b"%x\r\n%b\r\n" % (len(event), event))
            assert event in await reader.readuntil(event)  # before the next one is said
    writer.close()


async def test_a_location_is_written_as_agents_call_it(https: Https) -> None:
    place = f"https://localhost:{https.pay.port}/next"
    https.pay.reply = f"HTTP/1.1 302 Found\r\nlocation: {place}\r\ncontent-length: 0\r\n\r\n".encode()
    assert (await https.get(f"{PAY}:443", PAY, PAY)).all("location") == [f"https://{PAY}/next"]


@pytest.mark.slow
async def test_a_host_that_a_catalogue_gains_is_opened_without_a_restart(
    https: Https, envoys: Starter, short_folder: Path
) -> None:
    write_xds(https.proxy.settings, Catalogue.of((*https.tools, secure("new", "new.example", https.crm))))
    try:

        async def look() -> bool:
            try:
                return (await https.get("new.example:443", "new.example", "new.example")).status == 200
            except (OSError, ssl.SSLError, asyncio.IncompleteReadError, AssertionError):
                return False

        await until(look)
        assert https.crm.seen[-1].all("host") == ["new.example"]
    finally:
        write_xds(https.proxy.settings, Catalogue.of(https.tools))


async def test_without_certificates_handshakes_fail_and_plain_calls_pass(
    envoys: Starter, one_authorizer: Authorizer, one_tool: ToolServer, short_folder: Path
) -> None:
    one_tool.reset()
    one_authorizer.reset()
    away = InterceptionSettings(certificates=f"unix:{short_folder / 'away.sock'}")
    tool = Tool("pay", PAY, None, f"http://127.0.0.1:{one_tool.port}", (), "", "", None, False, False, NO_INTERFACE)
    async with envoys.running("away", Catalogue.of((tool,)), one_authorizer.place, interception=away) as proxy:
        mesh = Https(proxy, new_authority(Epoch(time.time())), one_tool, one_tool, one_authorizer, ())
        with pytest.raises((OSError, ssl.SSLError, asyncio.IncompleteReadError)):
            await mesh.get(f"{PAY}:443", PAY, PAY)
        assert one_tool.seen == []
        assert (await proxy.get(f"http://{PAY}/")).status == 200
        # and all is well once they are there
        async with certificates(f"unix:{short_folder / 'away.sock'}", mesh.authority):

            async def look() -> bool:
                try:
                    return (await mesh.get(f"{PAY}:443", PAY, PAY)).status == 200
                except (OSError, ssl.SSLError, asyncio.IncompleteReadError):
                    return False

            await until(look)


@pytest.mark.slow
async def test_where_unclaimed_hosts_are_not_opened_their_connect_is_refused(
    envoys: Starter, one_authorizer: Authorizer, one_tool: ToolServer, short_folder: Path
) -> None:
    one_authorizer.reset()
    opened = InterceptionSettings(certificates=f"unix:{short_folder / 'sds.sock'}", unclaimed=False)
    tool = Tool("pay", PAY, None, f"http://127.0.0.1:{one_tool.port}", (), "", "", None, False, False, NO_INTERFACE)
    async with envoys.running("closed", Catalogue.of((tool,)), one_authorizer.place, interception=opened) as proxy:
        mesh = Https(proxy, new_authority(Epoch(time.time())), one_tool, one_tool, one_authorizer, ())
        _, writer, head = await mesh.connect("nobody.example:443")
        writer.close()
    assert b" 403 " in head.splitlines()[0]
    assert dict(one_authorizer.checks[0].attributes.context_extensions)["aegis.route"] == "none"
    assert "aegis.tunnel" not in one_authorizer.checks[0].attributes.context_extensions


async def test_what_is_passed_through_is_judged_by_its_connect_and_not_opened(https: Https) -> None:
    reader, writer, head = await https.connect(f"{PINNED}:443")
    assert b" 200 " in head.splitlines()[0]
    trusting = ssl.create_default_context(cafile=str(https.public))
    trusting.check_hostname = False  # the tool's own certificate names it as it is known in this test
    await writer.start_tls(trusting, server_hostname=PINNED)
    reply = await exchange(reader, writer, f"GET /secret HTTP/1.1\r\nhost: {PINNED}\r\n\r\n".encode())
    assert (reply.status, https.crm.seen[0].line) == (200, "GET /secret HTTP/1.1")
    (check,) = https.authorizer.checks
    assert (check.attributes.request.http.method, check.attributes.request.http.host) == ("CONNECT", f"{PINNED}:443")
    assert dict(check.attributes.context_extensions) == {
        "aegis.listener": "forward",
        "aegis.route": https.tools[0].route,
    }


async def test_what_is_passed_through_is_reached_by_no_other_way(https: Https) -> None:
    for request in (
        f"GET http://{PINNED}/ HTTP/1.1\r\nhost: {PINNED}\r\n\r\n",
        f"GET http://{PINNED}:443/ HTTP/1.1\r\nhost: {PINNED}:443\r\n\r\n",
    ):
        assert (await https.proxy.send(request.encode())).status == 403
    plain = await https.proxy.send(b"GET /pinned/ HTTP/1.1\r\nhost: x\r\n\r\n", https.proxy.reverse)
    assert plain.status == 404
    assert https.crm.seen == []


async def test_a_tool_gets_a_certificate_of_ours_by_the_name_it_has(
    envoys: Starter, one_authorizer: Authorizer, tmp_path: Path
) -> None:
    vouching = public.Authority(tmp_path)
    context = vouching.context(x509.DNSName("internal.example"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(vouching.file)
    names: list[str | None] = []
    context.sni_callback = lambda _, sni, __: names.append(sni)
    own = vouching.leaf("client.pem", x509.DNSName("gateway.example"))
    one_authorizer.reset()
    async with ToolServer().serving(context) as server:
        tool = Tool("pay", PAY, None, f"https://127.0.0.1:{server.port}", (), "", "", None, False, False, NO_INTERFACE)
        connection = ToolConnection(ca=vouching.file, client_certificate=own, sni="internal.example")
        catalogue, place = Catalogue.of((tool,)), one_authorizer.place
        async with envoys.running("mtls", catalogue, place, connections={"pay": connection}) as proxy:
            assert (await proxy.get(f"http://{PAY}/")).status == 200
    assert names[0] == "internal.example"
    assert server.seen[0].all("host") == [PAY]
