"""Places that an answer names, in the real Envoy: the tool's own becomes the agent's, others inside are taken off."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING
from urllib.parse import unquote

import pytest
import pytest_asyncio

from aegis_authz.core.catalogue import Catalogue, Tool
from aegis_authz.core.interface import NO_INTERFACE

if TYPE_CHECKING:
    from conftest import Authorizer, Proxy, Reply, Starter, ToolServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

CALLED = "api.example"
REDIRECT = "HTTP/1.1 302 Found\r\ncontent-length: 0\r\n"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mesh(envoys: Starter, one_tool: ToolServer, one_authorizer: Authorizer) -> AsyncIterator[Proxy]:
    tools = (
        Tool("api", CALLED, None, f"http://127.0.0.1:{one_tool.port}", (), "", "", None, False, False, NO_INTERFACE),
        Tool(
            "named",
            "named.example",
            8080,
            f"http://localhost:{one_tool.port}",
            (),
            "",
            "",
            None,
            False,
            False,
            NO_INTERFACE,
        ),
        Tool(
            "other",
            "other.example",
            None,
            "http://payments.corp.example:9000",
            (),
            "",
            "",
            None,
            False,
            False,
            NO_INTERFACE,
        ),
        Tool("public", "public.example", None, "http://public.example", (), "", "", None, False, False, NO_INTERFACE),
    )
    async with envoys.running("places", Catalogue.of(tools), one_authorizer.place) as proxy:
        yield proxy


async def answer(mesh: Proxy, server: ToolServer, *headers: str, host: str = CALLED, way: str = "forward") -> Reply:
    """What an agent gets when the tool answers with these headers, on the forward proxy or its reverse route."""
    lines = [header.replace("PORT", str(server.port)) for header in headers]
    server.reply = (REDIRECT + "".join(f"{line}\r\n" for line in lines) + "\r\n").encode()
    if way == "forward":
        return await mesh.get(f"http://{host}/a/b")
    tool = "api" if host == CALLED else host.partition(".")[0]
    return await mesh.send(f"GET /{tool}/a/b HTTP/1.1\r\nhost: any\r\n\r\n".encode(), mesh.reverse)


@pytest.mark.parametrize(
    ("location", "forward", "reverse"),
    [
        ("http://127.0.0.1:PORT/v1/x?a=1#f", "http://api.example/v1/x?a=1#f", "/api/v1/x?a=1#f"),
        ("http://127.0.0.1:PORT", "http://api.example", "/api/"),
        ("http://127.0.0.1:PORT?a=1", "http://api.example?a=1", "/api/?a=1"),
        ("HTTP://127.0.0.1:PORT/x", "http://api.example/x", "/api/x"),
        ("https://127.0.0.1:PORT/x", "http://api.example/x", "/api/x"),
        ("//127.0.0.1:PORT/x", "http://api.example/x", "/api/x"),
        ("http://api.example/x", "http://api.example/x", "/api/x"),
        ("https://api.example/x", "http://api.example/x", "/api/x"),
        ("http://API.example.:80/x", "http://api.example/x", "/api/x"),
        ("/v1/x", "/v1/x", "/api/v1/x"),
        ("x?next=%2Fy", "x?next=%2Fy", "x?next=%2Fy"),
        ("?page=2", "?page=2", "?page=2"),
        ("https://login.example.com/authorize?state=1", None, None),
        ("http://93.184.216.34/x", None, None),
        ("http://[2606:2800:220:1::1]/x", None, None),
        ("myapp://callback?code=1", None, None),
        ("mailto:ada@example.com", None, None),
    ],
)
async def test_a_redirect_leads_where_the_agent_called(
    mesh: Proxy, one_tool: ToolServer, location: str, forward: str | None, reverse: str | None
) -> None:
    for way, expected in (("forward", forward), ("reverse", reverse)):
        for name in ("location", "content-location"):
            reply = await answer(mesh, one_tool, f"{name}: {location}", way=way)
            assert reply.status == 302
            assert reply.all(name) == [location if expected is None else expected]
            assert reply.all("x-aegis-withheld") == []


@pytest.mark.parametrize(
    "location",
    [
        "http://127.0.0.1/x", "http://127.0.0.1:1/x", "http://127.1/x", "http://2130706433/x", "http://0x7f000001/x", "http://0177.0.0.1/x",
        "http://10.0.0.7/x", "http://172.16.0.1/x", "http://192.168.1.1/x", "http://169.254.169.254/latest", "http://100.64.0.1/x", "http://0.0.0.0/x",
        "http://[::1]/x", "http://[fd00::1]:80/x", "http://[::ffff:127.0.0.1]/x", "http://[fe80::1]/x", "http://[::]/x",
        "http://localhost/x", "http://payments/x", "http://db.internal/x", "http://a.b.svc.cluster.local/x", "http://payments.corp.example/x",
        "http://payments.corp.example:9000/x", "http://PAYMENTS.corp.example./x", "//payments.corp.example/x", "//10.0.0.7/x",
        "http://user@127.0.0.1:PORT/x", "http://api.example@10.0.0.7/x", "http://127.0.0.1:PORT@evil.example.com/x",
        "http:/x", "http:127.0.0.1:PORT/x", "http:\\\\127.0.0.1:PORT\\x", "\\\\127.0.0.1:PORT/x", "http://127.0.0.1:PORT\\x", "http://a b/x",
        "https://login.example.com/?return=http://127.0.0.1:PORT/x", "https://login.example.com/?return=http%3A%2F%2F127.0.0.1%3APORT%2Fx",
        "https://login.example.com/?r=http%253A%252F%252F127.0.0.1%253APORT", "/login?next=http://127.0.0.1:PORT/", "x?u=127.0.0.1:PORT",
        "http://api.example/?u=http://127.0.0.1:PORT/", "https://login.example.com/127.0.0.1/x", "ws://10.0.0.7/x", "ftp://127.0.0.1/x",
        "http://127.0.0.1:PORTx/", "http://127.0.0.1:/x", "http://%31%32%37.0.0.1/x", "http://loc%61lhost/x",
    ],
)  # fmt: skip
async def test_a_redirect_to_another_place_inside_is_taken_off_and_said_so(
    mesh: Proxy, one_tool: ToolServer, location: str
) -> None:
    for way in ("forward", "reverse"):
        reply = await answer(mesh, one_tool, f"location: {location}", way=way)
        assert (reply.status, reply.all("location"), reply.all("x-aegis-withheld")) == (302, [], ["location"])
        assert str(one_tool.port) not in str(reply.headers)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("refresh", "5; url=http://127.0.0.1:PORT/x", "5; url=http://api.example/x"),
        ("refresh", "0;URL='http://127.0.0.1:PORT/x'", "0;URL='http://api.example/x'"),
        ("refresh", "30", "30"),
        ("refresh", "5; url=http://10.0.0.7/x", None),
        ("refresh", "5; http://127.0.0.1:PORT/x", None),
        ("link", "<http://127.0.0.1:PORT/x?page=2>; rel=\"next\", </x?page=1>; rel=prev", "<http://api.example/x?page=2>; rel=\"next\", </x?page=1>; rel=prev"),
        ("link", "<https://cdn.example.com/a.css>; rel=preload; as=style", "<https://cdn.example.com/a.css>; rel=preload; as=style"),
        ("link", "</x>; rel=next, <http://10.0.0.7/x>; rel=prev", None),
        ("link", "</x>; anchor=\"http://127.0.0.1:PORT/x\"", None),
    ],
)  # fmt: skip
async def test_refresh_and_link_are_read_as_what_they_are(
    mesh: Proxy, one_tool: ToolServer, name: str, value: str, expected: str | None
) -> None:
    reply = await answer(mesh, one_tool, f"{name}: {value}")
    assert reply.all(name) == ([] if expected is None else [expected])
    assert reply.all("x-aegis-withheld") == ([name] if expected is None else [])


async def test_every_link_is_rewritten_and_two_locations_are_none(mesh: Proxy, one_tool: ToolServer) -> None:
    links = ("link: </a>; rel=next", "link: <http://127.0.0.1:PORT/b>; rel=prev")
    reply = await answer(mesh, one_tool, *links, way="reverse")
    assert reply.all("link") == ["</api/a>; rel=next", "</api/b>; rel=prev"]
    reply = await answer(mesh, one_tool, "location: /a", "location: http://127.0.0.1:PORT/b")
    assert (reply.all("location"), reply.all("x-aegis-withheld")) == ([], ["location"])


async def test_a_tool_at_another_port_and_by_a_name_is_known_by_both(mesh: Proxy, one_tool: ToolServer) -> None:
    reply = await answer(mesh, one_tool, "location: http://localhost:PORT/x", host="named.example:8080")
    assert reply.all("location") == ["http://named.example:8080/x"]
    reply = await answer(mesh, one_tool, "location: http://named.example/x", host="named.example:8080")
    assert reply.all("location") == [
        "http://named.example/x"
    ]  # another address; the catalogue says that nobody answers there
    reply = await answer(mesh, one_tool, "location: http://a.example.com/localhost", host="named.example:8080")
    assert reply.all("x-aegis-withheld") == ["location"]


PARTS = (
    *(
        "http:",
        "https:",
        "//",
        "/",
        "\\",
        "?",
        "#",
        "@",
        ":",
        ".",
        " ",
        "<",
        ">",
        ";",
        ",",
        "url=",
        "%2f",
        "%3A",
        "%25",
        "next=",
    ),
    *(
        "127.0.0.1",
        "127.0.0.1:PORT",
        "%31%32%37.0.0.1",
        "127.0.0.1%3aPORT",
        "api.example",
        "evil.example.com",
        "[::1]",
        "x",
    ),
)


async def test_no_spelling_tells_where_the_tool_is(mesh: Proxy, one_tool: ToolServer) -> None:
    """Values made of parts at random, the same in each run; what comes out is looked at decoded."""
    chance = random.Random(1)  # noqa: S311  # the same values in each run
    passed = 0
    for _ in range(400):
        value = "".join(chance.choices(PARTS, k=chance.randint(1, 7)))
        name = chance.choice(["location", "refresh", "link"])
        made = {"location": value, "refresh": f"1; url={value}", "link": f"<{value}>; rel=next"}[name]
        reply = await answer(mesh, one_tool, f"{name}: {made}", way=chance.choice(["forward", "reverse"]))
        for header in reply.all(name):
            passed += 1
            for text in (header, unquote(header), unquote(unquote(header))):
                assert "127.0.0.1" not in text and str(one_tool.port) not in text, (made, header)
    assert passed > 100  # it is not by refusing everything


async def test_what_leads_around_the_proxy_and_what_a_tool_says_for_us_is_taken_off(
    mesh: Proxy, one_tool: ToolServer
) -> None:
    reply = await answer(mesh, one_tool, 'alt-svc: h3=":443"', "x-aegis-withheld: nothing", "etag: 1")
    assert (reply.all("alt-svc"), reply.all("x-aegis-withheld"), reply.all("etag")) == ([], [], ["1"])


async def test_an_answer_without_places_stays_as_it_is(mesh: Proxy, one_tool: ToolServer) -> None:
    one_tool.reply = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\nx-odd: http://127.0.0.1/\r\n\r\ndone"
    reply = await mesh.get("http://api.example/a")
    assert (reply.status, reply.body, reply.all("x-odd")) == (200, b"done", ["http://127.0.0.1/"])
    assert "script log" not in "".join(mesh.log)
