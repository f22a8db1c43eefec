"""What real clients send and get, in the real Envoy: the authorizer and the tool see one and the same request."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from aegis_authz.core.effect import Effect
from aegis_authz.wire.envoy.answer import Answer

if TYPE_CHECKING:
    from conftest import Authorizer, Proxy, ToolServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

DENIED = Answer(
    effect=Effect.DENY,
    grpc_code=7,
    status=403,
    body=b'{"decision":"deny","error":{"message":"No."}}',
    client_headers={
        "x-aegis-decision": "deny",
        "x-aegis-decision-id": "d-2",
        "content-type": "application/problem+json",
    },
    client_replacements={},
    upstream_headers={},
    removed_headers=(),
    metadata={"decision_id": "d-2"},
    is_followed=True,
)


async def raw(proxy: Proxy, text: bytes) -> bytes:
    """All that comes back until Envoy closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.forward)
    async with asyncio.timeout(10):
        writer.write(text)
        answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize("accept", ["*/*", "text/html", "application/json", "text/event-stream", ""])
async def test_a_denial_of_head_has_the_head_of_that_of_get_and_no_body(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer, accept: str
) -> None:
    authorizer.answer = DENIED
    answers = {}
    for method in ("GET", "HEAD"):
        request = f"{method} http://pay.example/a HTTP/1.1\r\nhost: pay.example\r\naccept: {accept}\r\nconnection: close\r\n\r\n"
        head, _, body = (await raw(proxy, request.encode())).partition(b"\r\n\r\n")
        answers[method] = (head.split(b"\r\n")[0], b"content-type: application/problem+json" in head, body)
    assert answers["GET"] == (b"HTTP/1.1 403 Forbidden", True, DENIED.body)
    assert answers["HEAD"] == (b"HTTP/1.1 403 Forbidden", True, b"")
    assert server.seen == []


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a?b", "/a?b"),
        ("/a?b=", "/a?b="),
        ("/a?", "/a?"),
        ("/a?b=c&", "/a?b=c&"),
        ("/a?b=c+d%20e", "/a?b=c+d%20e"),
        ("/a?b=//c/../d", "/a?b=//c/../d"),
        ("/a//b///c", "/a/b/c"),
        ("/a/%7Euser/%61", "/a/~user/a"),
        ("/a/./b/../c", "/a/c"),
        ("/a/b%2Cc:d@e", "/a/b%2Cc:d@e"),
        ("/a%20b", "/a%20b"),
        ("/%E6%9D%B1", "/%E6%9D%B1"),
        ("/a?q=%E3%80%80%E2%80%8D", "/a?q=%E3%80%80%E2%80%8D"),
        ("/a?x=1&x=2&y[]=3", "/a?x=1&x=2&y[]=3"),
    ],
)
async def test_the_authorizer_judges_the_target_that_the_tool_gets(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer, target: str, path: str
) -> None:
    for method in ("GET", "HEAD"):
        server.reply = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
        request = f"{method} http://pay.example{target} HTTP/1.1\r\nhost: pay.example\r\n\r\n"
        assert (await proxy.send(request.encode())).status == 200
        assert authorizer.checks[-1].attributes.request.http.path == path
        assert authorizer.checks[-1].attributes.request.http.method == method
        assert server.seen[-1].line == f"{method} {path} HTTP/1.1"


@pytest.mark.parametrize("host", ["PAY.example", "pay.example:80", "pay.example.", "Pay.Example.:80"])
async def test_every_spelling_of_a_host_is_the_tool(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer, host: str
) -> None:
    for line in (f"GET http://{host}/a HTTP/1.1", "GET /a HTTP/1.1"):
        assert (await proxy.send(f"{line}\r\nhost: {host}\r\n\r\n".encode())).status == 200
    assert len(server.seen) == 2


@pytest.mark.parametrize(
    "host", ["[::1]", "[::1]:80", "127.0.0.1", "pay.example:8080", "pay.example@evil.example", "evil.example"]
)
async def test_an_address_that_no_tool_has_reaches_nobody(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer, host: str
) -> None:
    request = f"GET http://{host}/a HTTP/1.1\r\nhost: {host}\r\n\r\n"
    assert (await proxy.send(request.encode())).status in (400, 403)
    assert server.seen == []


async def test_a_chunked_body_is_judged_whole(proxy: Proxy, authorizer: Authorizer, server: ToolServer) -> None:
    request = (
        b"POST http://pay.example/a HTTP/1.1\r\nhost: pay.example\r\ntransfer-encoding: chunked\r\n\r\n"
        b'3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n'
    )
    assert (await proxy.send(request)).status == 200
    assert authorizer.checks[-1].attributes.request.http.raw_body == b'{"a":1}' == server.seen[-1].body
