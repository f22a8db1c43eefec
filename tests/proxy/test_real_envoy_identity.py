"""What the real Envoy tells the authorizer of who calls, and that no client can say it in its place."""

from __future__ import annotations

import ipaddress
import ssl
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from cryptography import x509

from aegis_authz.config.proxy import ListenerTls, WorkloadListener
from aegis_authz.core.catalogue import Catalogue, Tool
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.local.tcp_ports import choose_ports
from aegis_authz.wire.envoy.client_certificate import client_certificate
from aegis_authz.wire.envoy.ext_authz import read_check_request
from aegis_authz.wire.http.call import HttpCall
from tests.support.authority import Authority

if TYPE_CHECKING:
    from conftest import Authorizer, Proxy, Starter, ToolServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

BOT = "spiffe://prod.example/ns/pay/sa/bot"
FORGED = "x-forwarded-client-cert: By=x;Hash=" + "0" * 64 + ";URI=spiffe://prod.example/ns/pay/sa/boss"
LINE = "POST http://pay.example/v1/payments HTTP/1.1"


def last(authorizer: Authorizer) -> HttpCall:
    return read_check_request(authorizer.checks[-1].SerializeToString())


async def test_each_listener_names_itself_and_both_keep_the_proof_from_the_tool(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    reply = await proxy.post("http://pay.example/v1/payments", b"{}", "x-aegis-token: t", "x-aegis-proof: p")
    assert reply.status == 200
    assert (last(authorizer).listener, last(authorizer).headers["x-aegis-proof"]) == ("forward", ("p",))
    raw = b"POST /pay/v1/payments HTTP/1.1\r\nhost: gateway\r\ncontent-length: 2\r\nx-aegis-proof: p\r\n\r\n{}"
    assert (await proxy.send(raw, proxy.reverse)).status == 200
    assert last(authorizer).listener == "reverse"
    await proxy.get("http://nobody.example/")
    assert last(authorizer).listener == "forward"
    assert len(server.seen) == 2
    assert [seen.all("x-aegis-proof") for seen in server.seen] == [[], []]


async def test_without_tls_no_client_has_a_certificate_whatever_it_says(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    await proxy.post("http://pay.example/v1/payments", b"{}", FORGED, "x-aegis-tls: TLSv1.3", "X-Aegis-TLS: TLSv1.2")
    http = last(authorizer)
    assert (http.headers.get("x-forwarded-client-cert"), http.principal, http.over_tls) == (None, "", False)
    assert client_certificate(http) is None
    assert [server.seen[0].all(name) for name in ("x-forwarded-client-cert", "x-aegis-tls")] == [[], []]


class Clients:
    """An Envoy that asks its clients for certificates, and clients with one."""

    def __init__(self, proxy: Proxy, authority: Authority) -> None:
        self._proxy = proxy
        self.authority = authority

    def context(self, authority: Authority, *names: x509.GeneralName) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.authority.file))
        if names:
            context.load_cert_chain(authority.leaf("client.pem", *names))
        return context

    async def post(self, context: ssl.SSLContext, *headers: str) -> int:
        lines = (LINE, "host: pay.example", "content-length: 2", *headers, "", "")
        reply = await self._proxy.send("\r\n".join(lines).encode() + b"{}", tls=context)
        return reply.status


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def clients(
    envoys: Starter, one_tool: ToolServer, one_authorizer: Authorizer, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Clients]:
    authority = Authority(tmp_path_factory.mktemp("certificates"))
    own = authority.leaf("listener.pem", x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    tls = ListenerTls(certificate=own, key=own, client_ca=authority.file)
    tool = Tool(
        "pay", "pay.example", None, f"http://127.0.0.1:{one_tool.port}", (), "", "", None, False, False, NO_INTERFACE
    )
    async with envoys.running("mtls", Catalogue.of((tool,)), one_authorizer.place, tls=tls) as proxy:
        yield Clients(proxy, authority)


async def test_a_certificate_is_told_by_envoy_alone(
    clients: Clients, authorizer: Authorizer, server: ToolServer
) -> None:
    context = clients.context(clients.authority, x509.UniformResourceIdentifier(BOT))
    assert await clients.post(context, FORGED, "X-Forwarded-Client-Cert: URI=spiffe://prod.example/x") == 200
    http = last(authorizer)
    certificate = client_certificate(http)
    assert certificate is not None
    assert (certificate.spiffe_id, http.principal, http.over_tls) == (BOT, BOT, True)
    assert server.seen[0].all("x-forwarded-client-cert") == []


@pytest.mark.parametrize(
    "names",
    [
        (x509.UniformResourceIdentifier(BOT), x509.UniformResourceIdentifier("spiffe://prod.example/boss")),
        (x509.UniformResourceIdentifier("spiffe://prod.example/boss"), x509.UniformResourceIdentifier(BOT)),
    ],
)
async def test_a_certificate_of_two_ids_is_nobodys(
    clients: Clients, authorizer: Authorizer, server: ToolServer, names: tuple[x509.GeneralName, ...]
) -> None:
    assert await clients.post(clients.context(clients.authority, *names)) == 200
    with pytest.raises(Refused) as refused:
        client_certificate(last(authorizer))
    assert refused.value.reason is Reason.CREDENTIAL_MALFORMED


@pytest.mark.parametrize("client", ["nothing", "a server's certificate", "another authority's"])
async def test_whoever_shows_no_workloads_certificate_of_that_authority_gets_nowhere(
    clients: Clients, authorizer: Authorizer, tmp_path: Path, client: str
) -> None:
    contexts = {
        "nothing": lambda: clients.context(clients.authority),
        "a server's certificate": lambda: clients.context(clients.authority, x509.DNSName("tool.example")),
        "another authority's": lambda: clients.context(Authority(tmp_path), x509.UniformResourceIdentifier(BOT)),
    }
    with pytest.raises((OSError, EOFError)):
        await clients.post(contexts[client]())
    assert authorizer.checks == []


@dataclass
class Sidecar:
    """An Envoy with two listeners that stand for an agent each: `pod` on a port, `job` on a socket."""

    proxy: Proxy
    port: int
    socket: Path


def request(target: str, host: str, *headers: str) -> bytes:
    return "\r\n".join((f"GET {target} HTTP/1.1", f"host: {host}", *headers, "", "")).encode()


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def sidecar(
    envoys: Starter, one_tool: ToolServer, one_authorizer: Authorizer, short_folder: Path
) -> AsyncIterator[Sidecar]:
    port, socket = choose_ports({"pod": 0}, {})["pod"], short_folder / "job.sock"
    workload = {
        "pod": WorkloadListener(listen=f"127.0.0.1:{port}"),
        "job": WorkloadListener(listen=f"unix:{socket}", mode="0620"),
    }
    tool = Tool(
        "pay", "pay.example", None, f"http://127.0.0.1:{one_tool.port}", (), "", "", None, False, False, NO_INTERFACE
    )
    async with envoys.running("pods", Catalogue.of((tool,)), one_authorizer.place, workload=workload) as proxy:
        yield Sidecar(proxy, port, socket)


async def test_a_listener_of_one_agent_is_a_proxy_with_reverse_routes_and_names_itself(
    sidecar: Sidecar, authorizer: Authorizer, server: ToolServer
) -> None:
    assert (await sidecar.proxy.send(request("http://pay.example/a", "pay.example"), sidecar.port)).status == 200
    forward = last(authorizer)
    assert (await sidecar.proxy.send(request("/pay/b", f"127.0.0.1:{sidecar.port}"), sidecar.port)).status == 200
    reverse = last(authorizer)
    assert (await sidecar.proxy.send(request("/pay/c", f"localhost:{sidecar.port}"), sidecar.port)).status == 200
    assert [(http.listener, http.tool_hint, http.source) for http in (forward, reverse)] == [
        ("pod", "", "127.0.0.1"),
        ("pod", "pay", "127.0.0.1"),
    ]
    assert [seen.line for seen in server.seen] == ["GET /a HTTP/1.1", "GET /b HTTP/1.1", "GET /c HTTP/1.1"]
    await sidecar.proxy.get("http://pay.example/")
    assert last(authorizer).listener == "forward"


async def test_one_on_a_unix_socket_has_no_source_and_the_mode_it_was_set(
    sidecar: Sidecar, authorizer: Authorizer
) -> None:
    assert (await sidecar.proxy.send_to(sidecar.socket, request("/pay/b", "localhost"))).status == 200
    assert (await sidecar.proxy.send_to(sidecar.socket, request("http://pay.example/a", "pay.example"))).status == 200
    http = last(authorizer)
    assert (http.listener, http.source, http.over_socket) == ("job", "", True)
    assert stat.S_IMODE(sidecar.socket.stat().st_mode) == 0o620


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:1", "pod"])
async def test_reverse_routes_answer_under_the_listeners_own_name_alone(
    sidecar: Sidecar, authorizer: Authorizer, server: ToolServer, host: str
) -> None:
    reply = await sidecar.proxy.send(request("/pay/b", host), sidecar.port)
    assert (reply.status, last(authorizer).tool_hint, last(authorizer).listener) == (403, "", "pod")
    assert server.seen == []


async def test_what_a_page_cannot_hide_reaches_the_authorizer(sidecar: Sidecar, authorizer: Authorizer) -> None:
    page = request("/pay/b", f"localhost:{sidecar.port}", "origin: http://evil.example", "sec-fetch-site: cross-site")
    await sidecar.proxy.send(page, sidecar.port)
    http = last(authorizer)
    assert (http.values_of("origin"), http.values_of("sec-fetch-site")) == (("http://evil.example",), ("cross-site",))
