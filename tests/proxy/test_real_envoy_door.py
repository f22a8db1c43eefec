"""The control door in the real Envoy: what agents may ask the control plane passes, and nothing else of it does."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio
from cryptography import x509

from aegis_authz.config.proxy import DoorSettings
from aegis_authz.core.catalogue import Catalogue
from tests.support.authority import Authority

if TYPE_CHECKING:
    from conftest import Authorizer, Proxy, Reply, Starter, ToolServer

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def with_door(envoys: Starter, one_authorizer: Authorizer, one_tool: ToolServer) -> AsyncIterator[Proxy]:
    """An Envoy whose door leads to a server that notes what reaches it, in the place of a control plane."""
    door = DoorSettings(port=0, control=f"127.0.0.1:{one_tool.port}")
    async with envoys.running("door", Catalogue.of(()), one_authorizer.place, door=door) as running:
        yield running


async def ask(envoy: Proxy, line: str, *headers: str, body: bytes = b"") -> Reply:
    lines = (f"{line} HTTP/1.1", "host: gateway:10002", f"content-length: {len(body)}", *headers, "", "")
    return await envoy.send("\r\n".join(lines).encode() + body, envoy.door)


@pytest.mark.parametrize(
    "line",
    [
        "POST /v1/token",
        "POST /v1/enroll",
        "GET /.well-known/jwks.json",
        "GET /v1/authorities",
        "GET /v1/approvals/apr_1k_ab12/status",
        "GET /v1/approvals/apr_1k_ab12/status?wait=1",
    ],
)
async def test_what_is_for_agents_passes(
    with_door: Proxy, authorizer: Authorizer, server: ToolServer, line: str
) -> None:
    reply = await ask(with_door, line)
    assert (reply.status, reply.body) == (200, b"done")
    assert [seen.line for seen in server.seen] == [f"{line} HTTP/1.1"]
    assert not authorizer.checks


@pytest.mark.parametrize(
    "line",
    [
        "GET /v1/token",
        "PUT /v1/token",
        "POST /v1/token/",
        "POST /V1/TOKEN",
        "POST /v1/tokens",
        "POST /v1/token;a=1",
        "POST /x/../v1/agents",
        "POST /v1/token/../agents/acme/emea/a/invite",
        "POST /v1/token/%2e%2e/agents/acme/emea/a/invite",
        "POST /v1/token%2f..%2fagents",
        "POST //v1/policies",
        "GET /v1/policies",
        "POST /v1/policies",
        "GET /v1/agents",
        "GET /v1/spend",
        "POST /v1/agents/acme/emea/a/invite",
        "POST /v1/agents/acme/emea/a/restore",
        "POST /v1/keys/issuer/rotate",
        "GET /v1/approvals",
        "GET /v1/approvals/apr_1",
        "POST /v1/approvals/apr_1/approve",
        "POST /v1/approvals/apr_1/status",
        "GET /v1/approvals/apr_1/x/status",
        "GET /v1/approvals/../policies/status",
        "GET /v1/approvals/apr_1/status/",
        "GET /v1/approvals/apr_1%2fapprove/status",
        "GET /v1/approvals//status",
        "GET /bundles/aegis.tar.gz",
        "GET /bundles/opa.tar.gz",
        "POST /status",
        "GET /readyz",
        "GET /healthz",
        "GET /",
        "GET http://control:7400/v1/agents",
        "OPTIONS *",
    ],
)
async def test_nothing_else_reaches_the_control_plane(with_door: Proxy, server: ToolServer, line: str) -> None:
    reply = await ask(with_door, line, "x-http-method-override: POST", "x-original-url: /v1/token")
    assert reply.status in (400, 404)
    assert not server.seen


@pytest.mark.parametrize(("name", "status"), [("127.0.0.1", 200), ("127.0.0.9", 503)])
async def test_a_control_plane_of_tls_is_reached_when_its_certificate_names_it(
    envoys: Starter, one_authorizer: Authorizer, server: ToolServer, tmp_path: Path, name: str, status: int
) -> None:
    authority = Authority(tmp_path)
    context = authority.context(x509.IPAddress(ip_address(name)))
    context.minimum_version = ssl.TLSVersion.TLSv1_3  # as the control plane has it
    async with type(server)().serving(context) as control:
        door = DoorSettings(port=0, control=f"127.0.0.1:{control.port}", authorities=authority.file)
        async with envoys.running(f"door-{status}", Catalogue.of(()), one_authorizer.place, door=door) as running:
            assert (await ask(running, "POST /v1/token")).status == status
        assert len(control.seen) == (status == 200)


async def test_no_tunnel_leads_through_it(with_door: Proxy, server: ToolServer) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", with_door.door)
    try:
        async with asyncio.timeout(10):
            writer.write(b"CONNECT control:7400 HTTP/1.1\r\nhost: control:7400\r\n\r\n")
            head = await reader.readuntil(b"\r\n\r\n")
    finally:
        writer.close()
    assert head.split()[1] in (b"400", b"403", b"404")
    assert not server.seen


async def test_an_upgrade_is_not_carried(with_door: Proxy, server: ToolServer) -> None:
    reply = await ask(with_door, "GET /.well-known/jwks.json", "connection: upgrade", "upgrade: websocket")
    assert reply.status == 403
    assert not server.seen


async def test_no_bearer_passes_and_the_source_is_the_door_s_word(with_door: Proxy, server: ToolServer) -> None:
    forged = ("authorization: Bearer x", "cookie: a=b", "x-forwarded-for: 10.9.9.9", "x-real-ip: 10.9.9.9", "dpop: p")
    assert (await ask(with_door, "POST /v1/token", *forged, body=b"grant_type=x")).status == 200
    seen = server.seen[0]
    assert seen.all("authorization") == seen.all("cookie") == seen.all("x-real-ip") == []
    assert seen.all("x-forwarded-for") == ["127.0.0.1"]
    assert (seen.all("dpop"), seen.body) == (["p"], b"grant_type=x")
