"""What the real Envoy makes of requests: whom it asks, what it refuses by itself, what it sends on."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from aegis_authz.core.effect import Effect
from aegis_authz.wire.envoy.answer import Answer

if TYPE_CHECKING:
    from conftest import Authorizer, Proxy, ToolServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

ALLOWED_KEEPING = Answer(
    effect=Effect.ALLOW,
    grpc_code=0,
    status=200,
    body=b"",
    client_headers={},
    upstream_headers={},
    client_replacements={},
    removed_headers=(),
    metadata={"decision_id": "d-3"},
    is_followed=True,
)
URL = "http://pay.example/v1/payments"
MOST_BODY = 65_536
DENIED = Answer(
    effect=Effect.DENY,
    grpc_code=7,
    status=403,
    body=b'{"decision":"deny"}',
    client_headers={"x-aegis-decision": "deny", "x-aegis-decision-id": "d-2", "content-type": "application/json"},
    upstream_headers={},
    client_replacements={},
    removed_headers=(),
    metadata={"decision_id": "d-2"},
    is_followed=True,
)


async def test_an_allowed_call_reaches_the_tool_and_carries_its_decision_back(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    reply = await proxy.post(URL, b'{"amount":1}', "x-aegis-token: t")
    assert (reply.status, reply.body) == (200, b"done")
    assert (reply.all("x-aegis-decision"), reply.all("x-aegis-decision-id")) == (["allow"], ["d-1"])
    assert (server.seen[0].line, server.seen[0].body) == ("POST /v1/payments HTTP/1.1", b'{"amount":1}')
    assert server.seen[0].all("host") == ["pay.example"]


async def test_the_authorizer_sees_the_raw_body_and_every_header_but_the_tools_credentials(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    await proxy.post(
        URL + "?a=1", b"\xff\xfe{}", "Content-Type: a", "authorization: Bearer x", "cookie: c=d", "X-Account: a"
    )
    http = authorizer.checks[0].attributes.request.http
    assert (http.raw_body, http.body) == (b"\xff\xfe{}", "")
    assert (http.method, http.host, http.path, http.scheme) == ("POST", "pay.example", "/v1/payments?a=1", "http")
    sent = dict(_sent(authorizer))
    assert sent[":path"] == b"/v1/payments?a=1"  # to see the bytes that `http.path` replaces
    assert (sent["content-type"], sent["x-account"], sent["x-envoy-auth-partial-body"]) == (b"a", b"a", b"false")
    assert not sent.keys() & {"authorization", "cookie"}
    assert authorizer.checks[0].attributes.source.address.socket_address.address == "127.0.0.1"
    assert server.seen[0].all("authorization") == ["Bearer x"]


async def test_duplicate_headers_reach_the_authorizer_one_by_one(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    await proxy.get(URL, "x-aegis-token: one", "x-aegis-token: two")
    assert [value for name, value in _sent(authorizer) if name == "x-aegis-token"] == [b"one", b"two"]


async def test_duplicate_content_types_are_one_value_to_the_authorizer_and_to_the_tool(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    await proxy.post(URL, b"{}", "content-type: application/json", "content-type: text/plain")
    assert ("content-type", b"application/json,text/plain") in _sent(authorizer)
    assert server.seen[0].all("content-type") == ["application/json,text/plain"]


@pytest.mark.parametrize("status", [403, 200])
async def test_a_denial_is_answered_as_the_authorizer_says_and_the_tool_hears_nothing(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer, status: int
) -> None:
    authorizer.answer = replace(DENIED, status=status)
    reply = await proxy.post(URL, b"{}")
    assert (reply.status, reply.body, server.seen) == (status, b'{"decision":"deny"}', [])
    assert (reply.all("x-aegis-decision"), reply.all("x-aegis-decision-id")) == (["deny"], ["d-2"])
    assert reply.all("content-type") == ["application/json"]


async def test_a_long_denial_is_not_cut(proxy: Proxy, authorizer: Authorizer) -> None:
    authorizer.answer = replace(DENIED, body=b"x" * 300_000)
    assert (await proxy.get(URL)).body == b"x" * 300_000


async def test_a_body_at_the_limit_passes_and_one_beyond_it_is_413_unasked(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    assert (await proxy.post(URL, b"x" * MOST_BODY)).status == 200
    assert server.seen[0].body == b"x" * MOST_BODY
    chunked = b"POST http://pay.example/ HTTP/1.1\r\nhost: pay.example\r\ntransfer-encoding: chunked\r\n\r\n"
    chunked += b"%x\r\n%b\r\n" % (MOST_BODY + 1, b"x" * (MOST_BODY + 1)) + b"0\r\n\r\n"
    for reply in (await proxy.post(URL, b"x" * (MOST_BODY + 1)), await proxy.send(chunked)):
        problem = json.loads(reply.body)
        assert (reply.status, problem["status"], problem["reason"]) == (413, 413, "BODY_TRUNCATED")
        assert reply.all("content-type") == ["application/problem+json"]
        assert (reply.all("x-aegis-decision"), problem["decision"]) == (["deny"], "deny")
    assert (len(authorizer.checks), len(server.seen)) == (1, 1)


@pytest.mark.parametrize(
    "request_",
    [
        b"GET http://pay.example/a%2Fb HTTP/1.1\r\nhost: pay.example\r\n\r\n",
        b"GET http://pay.example/a%5Cb HTTP/1.1\r\nhost: pay.example\r\n\r\n",
        b"GET http://pay.example/ HTTP/1.1\r\nhost: pay.example\r\nx_aegis_token: t\r\n\r\n",
        b"POST http://pay.example/ HTTP/1.1\r\nhost: pay.example\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n",
        b"POST http://pay.example/ HTTP/1.1\r\nhost: pay.example\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    ],
    ids=["escaped slash", "escaped backslash", "underscore", "two lengths of body", "two content-lengths"],
)
async def test_an_ambiguous_request_is_400_unasked(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer, request_: bytes
) -> None:
    reply = await proxy.send(request_)
    assert (reply.status, authorizer.checks, server.seen) == (400, [], [])


async def test_a_client_that_waits_for_100_is_told_to_go_on(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.forward)
    writer.write(
        b"POST %b HTTP/1.1\r\nhost: pay.example\r\nexpect: 100-continue\r\ncontent-length: 2\r\n\r\n" % URL.encode()
    )
    async with asyncio.timeout(5):
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 100")
        writer.write(b"{}")
        assert (await reader.readline()).startswith(b"HTTP/1.1 200")
    writer.close()
    assert server.seen[0].body == b"{}"


async def test_the_path_is_the_same_to_the_authorizer_and_to_the_tool(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    await proxy.get("http://pay.example/v1/../v1//./payments")
    assert authorizer.checks[0].attributes.request.http.path == "/v1/payments"
    assert server.seen[0].line == "GET /v1/payments HTTP/1.1"


@pytest.mark.parametrize("authority", ["pay.example:80", "PAY.example", "pay.example."])
async def test_a_host_in_another_spelling_is_the_same_tool(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer, authority: str
) -> None:
    reply = await proxy.get(f"http://{authority}/")
    seen = authorizer.checks[0].attributes.request.http.host
    assert (reply.status, len(server.seen)) == (200, 1)
    assert seen.lower().removesuffix(":80") == "pay.example"


async def test_a_client_cannot_make_the_authority_read_as_https(proxy: Proxy, authorizer: Authorizer) -> None:
    reply = await proxy.get("https://pay.example/")
    assert (reply.status, authorizer.checks) == (403, [])


async def test_the_authority_of_the_request_line_is_the_one_that_counts(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    await proxy.send(b"GET http://pay.example/ HTTP/1.1\r\nhost: elsewhere.example\r\n\r\n")
    assert authorizer.checks[0].attributes.request.http.host == "pay.example"
    assert server.seen[0].all("host") == ["pay.example"]


async def test_secrets_and_claims_of_a_client_do_not_reach_the_tool(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    authorizer.answer = ALLOWED_KEEPING
    names = ("x-aegis-token", "x-aegis-approval", "proxy-authorization", "x-aegis-obligation", "x-aegis-decision")
    names += ("x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "forwarded", "x-http-method-override")
    names += ("x-real-ip", "true-client-ip", "x-client-ip", "x-cluster-client-ip", "cf-connecting-ip", "x-forwarded")
    names += ("x-host", "x-original-host", "x-http-host-override", "x-original-path", "x-script-name", "proxy")
    names += (
        "x-remote-user",
        "remote-user",
        "x-aegis-agent",
        "x-aegis-identity",
        "x-original-url",
        "x-rewrite-url",
        "x-envoy-retry-on",
        "x-envoy-original-path",
    )
    reply = await proxy.get(URL, *(f"{name}: spoofed" for name in names))
    assert reply.status == 200
    assert [name for name, _ in server.seen[0].headers if name in names or name.startswith("x-envoy")] == []


async def test_a_client_cannot_have_a_call_repeated(proxy: Proxy, authorizer: Authorizer, server: ToolServer) -> None:
    server.reply = b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n"
    reply = await proxy.get(URL, "x-envoy-retry-on: 5xx", "x-envoy-max-retries: 5")
    assert (reply.status, len(server.seen)) == (503, 1)


async def test_a_tool_cannot_fake_a_decision(proxy: Proxy, authorizer: Authorizer, server: ToolServer) -> None:
    server.reply = (
        b"HTTP/1.1 200 OK\r\nserver: theirs\r\nx-aegis-decision: sanitize\r\nx-aegis-decision-id: fake\r\n"
        b"x-aegis-approval-id: fake\r\ncontent-length: 0\r\n\r\n"
    )
    reply = await proxy.get(URL)
    assert (reply.all("x-aegis-decision"), reply.all("x-aegis-decision-id")) == (["allow"], ["d-1"])
    assert (reply.all("x-aegis-approval-id"), reply.all("server")) == ([], ["theirs"])


@pytest.mark.parametrize("url", ["http://unlisted.example/x", "http://pay.example:8080/", "http://169.254.169.254/"])
async def test_an_unlisted_address_is_judged_and_never_reached(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer, url: str
) -> None:
    allowed = await proxy.get(url)
    assert (allowed.status, allowed.body) == (403, b"No tool of the catalogue answers at this address.\n")
    assert allowed.all("x-aegis-decision-id") == ["d-1"]
    authorizer.answer = DENIED
    denied = await proxy.get(url)
    assert (denied.status, denied.body) == (403, b'{"decision":"deny"}')
    assert [check.attributes.request.http.host for check in authorizer.checks] == [url.split("/")[2]] * 2
    assert server.seen == []


async def test_a_reverse_route_names_its_tool_and_rewrites_path_and_host(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    raw = b"POST %b HTTP/1.1\r\nhost: anything.example\r\ncontent-length: 2\r\n\r\n{}"
    for path in (b"/pay/v1/x?q=1", b"/pay", b"/pay/"):
        assert (await proxy.send(raw % path, proxy.reverse)).status == 200
    assert [seen.line.split()[1] for seen in server.seen] == ["/v1/x?q=1", "/", "/"]
    assert [seen.all("host") for seen in server.seen] == [["pay.example"]] * 3
    assert [name for seen in server.seen for name, _ in seen.headers if name.startswith("x-envoy-")] == []
    assert [check.attributes.request.http.path for check in authorizer.checks] == ["/pay/v1/x?q=1", "/pay", "/pay/"]
    assert {check.attributes.context_extensions["aegis.tool"] for check in authorizer.checks} == {"pay"}
    assert authorizer.checks[0].attributes.request.http.raw_body == b"{}"


async def test_an_unknown_prefix_is_judged_and_ends_with_404(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    reply = await proxy.send(b"GET /payx/ HTTP/1.1\r\nhost: pay.example\r\n\r\n", proxy.reverse)
    assert (reply.status, len(authorizer.checks), server.seen) == (404, 1, [])
    # or the authorizer would go by the Host header, and record an allow of a call that ends here
    assert dict(authorizer.checks[0].attributes.context_extensions) == {
        "aegis.tool": "?",
        "aegis.route": "none",
        "aegis.listener": "reverse",
    }


@pytest.mark.parametrize(
    "request_",
    [
        b"CONNECT pay.example:443 HTTP/1.1\r\nhost: pay.example:443\r\n\r\n",
        b"GET http://pay.example/ HTTP/1.1\r\nhost: pay.example\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nhost: pay.example\r\n\r\n",
    ],
    ids=["CONNECT", "WebSocket", "asterisk"],
)
async def test_what_cannot_be_judged_does_not_reach_the_tool(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer, request_: bytes
) -> None:
    reply = await proxy.send(request_)
    assert 400 <= reply.status < 500
    assert (authorizer.checks, server.seen) == ([], [])


async def test_the_access_log_has_a_line_with_the_decision_and_without_path_and_query(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    authorizer.answer = replace(DENIED, metadata={"decision_id": "logged"})
    await proxy.get("http://pay.example/hidden?key=hidden", "x-aegis-token: hidden")
    line = await proxy.access_line(lambda line: line["decision_id"] == "logged")
    assert (line["listener"], line["status"], line["decision"]) == ("forward", 403, "deny")
    assert line["details"] == "ext_authz_denied"
    assert "hidden" not in json.dumps(line)


async def test_the_access_log_tells_that_a_path_was_long(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    authorizer.answer = replace(DENIED, metadata={"decision_id": "long"})
    await proxy.get("http://pay.example/" + "p" * 50_000)
    line = await proxy.access_line(lambda line: line["decision_id"] == "long")
    assert line["header_bytes"] > 50_000


@pytest.mark.parametrize(
    ("request_", "status", "details"),
    [
        (b"CONNECT pay.example:443 HTTP/1.1\r\nhost: pay.example:443\r\n\r\n", 404, "route_not_found"),
        (b"GET http://pay.example/a%2Fb HTTP/1.1\r\nhost: pay.example\r\n\r\n", 400, "path_normalization_failed"),
        (b"GET /pay/ HTTP/1.1\r\nhost: a\r\nx_y: 1\r\n\r\n", 400, "http1.unexpected_underscore"),
        (
            b"POST /pay/ HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n",
            *(400, "http1.content_length_and_chunked_not_allowed"),
        ),
        (
            b"POST http://pay.example/p HTTP/1.1\r\nhost: pay.example\r\ncontent-length: 65537\r\n\r\n" + b"x" * 65537,
            *(413, "request_payload_too_large"),
        ),
    ],
    ids=["CONNECT", "escaped slash", "underscore", "two lengths of body", "too long a body"],
)
async def test_what_envoy_refuses_by_itself_stands_in_the_access_log_with_its_reason(
    proxy: Proxy, authorizer: Authorizer, request_: bytes, status: int, details: str
) -> None:
    await proxy.send(request_)
    line = await proxy.access_line(lambda line: line["details"] == details)
    assert (line["status"], line["decision_id"], authorizer.checks) == (status, None, [])


@pytest.mark.parametrize("name", ["an id of the caller", "018f2b7c-6d1e-4c3a-9b1a-0123456789ab"])
async def test_the_authorizer_and_the_access_log_know_the_callers_own_request_id(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer, name: str
) -> None:
    await proxy.get(URL, f"x-request-id: {name}")
    assert ("x-request-id", name.encode()) in _sent(authorizer)
    assert await proxy.access_line(lambda line: line["request_id"] == name)


async def test_the_authorizer_sees_the_span_of_the_caller(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    await proxy.get(URL, "traceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
    assert ("traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01") in _sent(authorizer)


def _sent(authorizer: Authorizer) -> list[tuple[str, bytes]]:
    headers = authorizer.checks[-1].attributes.request.http.header_map.headers
    return sorted((header.key, header.raw_value) for header in headers)
