"""The catalogue in the real Envoy: taken while it runs, over TLS, and with several tools at one address."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from aegis_authz.core.catalogue import JSON_ALONE, ONE_OPERATION, Action, Catalogue, Tool
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.proxy.render import write_xds
from tests.support.authority import Authority

if TYPE_CHECKING:
    from conftest import Authorizer, Proxy, Starter, ToolServer

pytestmark = pytest.mark.asyncio(loop_scope="session")


def at(name: str, host: str, server: ToolServer, scheme: str = "http", where: str = "127.0.0.1") -> Tool:
    return Tool(name, host, None, f"{scheme}://{where}:{server.port}", (), "", "", None, False, False, NO_INTERFACE)


async def test_a_new_catalogue_takes_effect_while_envoy_runs(
    envoys: Starter, server: ToolServer, authorizer: Authorizer
) -> None:
    old, new = at("old", "old.example", server), at("new", "new.example", server)
    async with envoys.running("reload", Catalogue.of((old,)), authorizer.place) as proxy:
        assert (await proxy.get("http://new.example/")).status == 403
        write_xds(proxy.settings, Catalogue.of((old, new)))
        await _until(proxy, b"GET http://new.example/ HTTP/1.1\r\nhost: new.example\r\n\r\n", proxy.forward, 200)
        await _until(proxy, b"GET /new/ HTTP/1.1\r\nhost: any\r\n\r\n", proxy.reverse, 200)
        assert (await proxy.get("http://old.example/")).status == 200
        write_xds(proxy.settings, Catalogue.of((new,)))
        await _until(proxy, b"GET http://old.example/ HTTP/1.1\r\nhost: old.example\r\n\r\n", proxy.forward, 403)
        await _until(proxy, b"GET /old/ HTTP/1.1\r\nhost: any\r\n\r\n", proxy.reverse, 404)
        assert (await proxy.get("http://new.example/")).status == 200
        assert list(proxy.settings.xds.glob(".*")) == []


async def test_routes_that_stay_serve_every_call_during_a_change(
    envoys: Starter, server: ToolServer, authorizer: Authorizer
) -> None:
    kept = at("kept", "kept.example", server)
    async with envoys.running("steady", Catalogue.of((kept,)), authorizer.place) as proxy:
        statuses = []
        for number in range(10):
            write_xds(proxy.settings, Catalogue.of((kept, at(f"t{number}", f"t{number}.example", server))))
            statuses += [(await proxy.get("http://kept.example/")).status for _ in range(5)]
    assert statuses == [200] * 50


async def test_a_tool_may_have_any_name_that_the_catalogue_lets_it_have(
    envoys: Starter, server: ToolServer, authorizer: Authorizer
) -> None:
    """YAML has readers that take y for a truth, 1e5 for a number and null for nothing."""
    names = ("y", "n", "no", "on", "null", "true", "1e5", "0x1f", "1.5", "007", "1_000")
    catalogue = Catalogue.of(tuple(at(name, f"{name.replace('_', '-')}.example", server) for name in names))
    async with envoys.running("names", catalogue, authorizer.place) as proxy:
        statuses = {
            name: (await proxy.send(b"GET /%b/ HTTP/1.1\r\nhost: any\r\n\r\n" % name.encode(), proxy.reverse)).status
            for name in names
        }
    assert statuses == dict.fromkeys(names, 200)
    assert [check.attributes.context_extensions["aegis.tool"] for check in authorizer.checks] == list(names)


async def test_hosts_that_swap_places_under_load_get_what_their_check_said(
    envoys: Starter, server: ToolServer, authorizer: Authorizer
) -> None:
    """Where a check says that its call goes is where it arrives, whichever configuration Envoy has just taken."""
    async with type(server)().serving() as other:
        places = [(server, other), (other, server)]
        ways = [Catalogue.of((at("x", "x.example", first), at("y", "y.example", second))) for first, second in places]
        port_of = {tool.route: tool.place.port for way in ways for tool in way.by_name.values()}
        async with envoys.running("swap", ways[0], authorizer.place) as proxy:

            async def calls(host: str) -> list[int]:
                return [(await proxy.get(f"http://{host}.example/{host}{number}")).status for number in range(120)]

            async def swaps() -> None:
                for turn in range(1, 9):
                    write_xds(proxy.settings, ways[turn % 2])
                    await _routed(proxy, ways[turn % 2].routes["x"])

            _, *statuses = await asyncio.gather(swaps(), *(calls(host) for host in ("x", "y")))
        checks = [check.attributes for check in authorizer.checks]
        declared = {check.request.http.path: check.context_extensions["aegis.route"] for check in checks}
        arrived = {seen.line.split()[1]: place.port for place in (server, other) for seen in place.seen}
    # Envoy may take the routes of a change before its clusters: such a call reaches nobody
    assert {status for each in statuses for status in each} <= {200, 503}
    assert len(arrived) == sum(each.count(200) for each in statuses) > 200
    assert arrived == {path: port_of[declared[path]] for path in arrived}
    assert len(set(declared.values())) == 4  # both hosts were seen at both places


async def _routed(proxy: Proxy, route: str) -> None:
    """Wait until Envoy runs this route."""
    async with asyncio.timeout(20):
        while route.encode() not in (await proxy.admin("/config_dump?resource=dynamic_route_configs")).body:
            await asyncio.sleep(0.01)


async def test_an_empty_catalogue_serves_nobody(envoys: Starter, server: ToolServer, authorizer: Authorizer) -> None:
    async with envoys.running("empty", Catalogue.of(()), authorizer.place) as proxy:
        assert (await proxy.get("http://old.example/")).status == 403
        assert (await proxy.send(b"GET /old/ HTTP/1.1\r\nhost: any\r\n\r\n", proxy.reverse)).status == 404
    assert len(authorizer.checks) == 2


async def test_tools_that_share_an_address_each_get_their_own_actions(
    envoys: Starter, server: ToolServer, authorizer: Authorizer
) -> None:
    pay = Action("pay", "POST", ("v1", "payments:send"), (), False, JSON_ALONE, ONE_OPERATION)
    find = Action("find", "POST", ("v1", "{kind}"), (), False, JSON_ALONE, ONE_OPERATION)
    async with AsyncExitStack() as stack:
        others = [await stack.enter_async_context(type(server)().serving()) for _ in range(2)]
        tools = (
            Tool(
                "finder",
                "api.example",
                None,
                f"http://127.0.0.1:{others[0].port}",
                (find,),
                "",
                "",
                None,
                False,
                False,
                NO_INTERFACE,
            ),
            Tool(
                "payer",
                "api.example",
                None,
                f"http://127.0.0.1:{server.port}",
                (pay,),
                "",
                "",
                None,
                False,
                False,
                NO_INTERFACE,
            ),
            Tool(
                "mcp",
                "api.example",
                None,
                f"http://127.0.0.1:{others[1].port}",
                (),
                "/mcp",
                "",
                None,
                False,
                False,
                NO_INTERFACE,
            ),
        )
        running = envoys.running("shared", Catalogue.of(tools), authorizer.place)
        proxy = await stack.enter_async_context(running)
        for path in ("/v1/payments:send", "/v1/p%61yments%3Asend", "/v1/refunds", "/mcp"):
            assert (await proxy.post(f"http://api.example{path}", b"{}")).status == 200
        assert (await proxy.get("http://api.example/v1/payments:send")).status == 403
        assert (await proxy.post("http://api.example/v1/a/b", b"{}")).status == 403
    assert [seen.line.split()[1] for seen in server.seen] == ["/v1/payments:send", "/v1/payments%3Asend"]
    assert [seen.line.split()[1] for other in others for seen in other.seen] == ["/v1/refunds", "/mcp"]


async def test_tails_texts_beside_variables_and_head_are_routed_as_they_are_judged(
    envoys: Starter, server: ToolServer, authorizer: Authorizer
) -> None:
    actions = [
        ("read", Action("read", "GET", ("files", "{path...}"), (), False, JSON_ALONE, ONE_OPERATION)),
        ("show", Action("show", "GET", ("files", "{name}"), (), False, JSON_ALONE, ONE_OPERATION)),
        ("raw", Action("raw", "GET", ("files", "{id}.json"), (), False, JSON_ALONE, ONE_OPERATION)),
    ]
    async with AsyncExitStack() as stack:
        places = {name: await stack.enter_async_context(type(server)().serving()) for name, _ in actions}
        tools = tuple(
            Tool(
                name,
                "api.example",
                None,
                f"http://127.0.0.1:{places[name].port}",
                (action,),
                "",
                "",
                None,
                False,
                False,
                NO_INTERFACE,
            )
            for name, action in actions
        )
        running = envoys.running("tails", Catalogue.of(tools), authorizer.place)
        proxy = await stack.enter_async_context(running)
        for path in ("/files/a/b/c", "/files/a", "/files/7.json", "/files/a%2Cb/c.json"):
            assert (await proxy.get(f"http://api.example{path}")).status == 200
        for path in ("/files", "/files/", "/files/a/", "/file/a/b"):
            assert (await proxy.get(f"http://api.example{path}")).status == 403
        for place in places.values():
            place.reply = b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 0\r\n\r\n"
        head = b"HEAD http://api.example/files/7.json HTTP/1.1\r\nhost: api.example\r\n\r\n"
        assert (await proxy.send(head)).status == 200
    lines = {name: [seen.line for seen in place.seen] for name, place in places.items()}
    assert lines == {
        "read": ["GET /files/a/b/c HTTP/1.1", "GET /files/a%2Cb/c.json HTTP/1.1"],
        "show": ["GET /files/a HTTP/1.1"],
        "raw": ["GET /files/7.json HTTP/1.1", "HEAD /files/7.json HTTP/1.1"],
    }


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[Authority]:
    yield Authority(tmp_path)


LOCALHOST, LOOPBACK = x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))


@pytest.mark.parametrize(("where", "name"), [("localhost", LOCALHOST), ("127.0.0.1", LOOPBACK)])
async def test_tls_reaches_a_tool_whose_certificate_names_it(
    envoys: Starter,
    server: ToolServer,
    authorizer: Authorizer,
    authority: Authority,
    where: str,
    name: x509.GeneralName,
) -> None:
    asked: list[str | None] = []
    context = authority.context(name)
    context.sni_callback = lambda _, sni, __: asked.append(sni)
    async with type(server)().serving(context) as secure:
        catalogue = Catalogue.of((at("secure", "api.example", secure, "https", where),))
        async with envoys.running(f"tls-{where}", catalogue, authorizer.place, ca_file=authority.file) as proxy:
            await _until(proxy, b"GET http://api.example/ HTTP/1.1\r\nhost: api.example\r\n\r\n", proxy.forward, 200)
    assert secure.seen[-1].all("host") == ["api.example"]
    assert set(asked) == {None if where == "127.0.0.1" else where}


async def test_tls_refuses_another_name_and_another_authority(
    envoys: Starter, server: ToolServer, authorizer: Authorizer, authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other")
    async with AsyncExitStack() as stack:
        named_else = authority.context(x509.DNSName("elsewhere.example"))
        signed_else = other.context(LOOPBACK)
        servers = [await stack.enter_async_context(type(server)().serving(tls)) for tls in (named_else, signed_else)]
        tools = [at(f"t{number}", f"t{number}.example", one, "https") for number, one in enumerate(servers)]
        running = envoys.running("untrusted", Catalogue.of(tuple(tools)), authorizer.place, ca_file=authority.file)
        proxy = await stack.enter_async_context(running)
        for tool in tools:
            reply = await proxy.get(f"http://{tool.host}/")
            line = await proxy.access_line(lambda line, tool=tool: line["route"] == tool.name)
            assert reply.status == 503
            assert "CERTIFICATE_VERIFY_FAILED" in str(line["upstream_failure"])
    assert [one.seen for one in servers] == [[], []]


async def _until(proxy: Proxy, raw: bytes, port: int, status: int) -> None:
    async with asyncio.timeout(5):
        while (await proxy.send(raw, port)).status != status:
            await asyncio.sleep(0.01)
