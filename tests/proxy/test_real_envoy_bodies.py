"""The obligation header in the real Envoy: which bodies pass the processor, and that nothing passes beside it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from aegis_authz.core.decision import Target
from aegis_authz.core.effect import Effect
from aegis_authz.wire.envoy.answer import Answer
from aegis_authz.wire.envoy.ext_proc import BodyMode

if TYPE_CHECKING:
    from conftest import Authorizer, Proxy, ToolServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

URL = "http://pay.example/v1/records"
SECRET, MASK = b"078-05-1120", b"[redacted]"
MOST_BODY = 65_536
OBLIGATION = "x-aegis-obligation"


def sanitized(obligation: str) -> Answer:
    return Answer(
        effect=Effect.SANITIZE,
        grpc_code=0,
        status=200,
        body=b"",
        client_headers={"x-aegis-decision": "sanitize"},
        upstream_headers={OBLIGATION: obligation, "accept-encoding": "identity"},
        client_replacements={},
        removed_headers=("x-aegis-token",),
        metadata={"decision_id": "d-1", "obligations": "[]"},
        is_followed=True,
    )


@pytest.mark.parametrize(
    ("obligation", "sent", "received"),
    [("request", MASK, SECRET), ("response", SECRET, MASK), ("both", MASK, MASK)],
)
@pytest.mark.parametrize("chunked", [False, True])
async def test_bodies_pass_the_processor_as_the_obligation_says(
    proxy: Proxy,
    authorizer: Authorizer,
    server: ToolServer,
    obligation: str,
    sent: bytes,
    received: bytes,
    chunked: bool,
) -> None:
    authorizer.answer = sanitized(obligation)
    server.reply = b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n" + SECRET
    if chunked:
        server.reply = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nb\r\n" + SECRET + b"\r\n0\r\n\r\n"
    reply = await proxy.post(URL, SECRET)
    assert (reply.status, server.seen[0].body, reply.body) == (200, sent, received)
    assert reply.all("x-aegis-decision") == ["sanitize"]
    assert (server.seen[0].all(OBLIGATION), server.seen[0].all("accept-encoding")) == ([], ["identity"])


async def test_the_processor_is_told_what_was_decided_and_how_bodies_come(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    authorizer.answer = sanitized("both")
    await proxy.post(URL, b"{}")
    first = authorizer.pieces[0]
    assert first.metadata == {"decision_id": "d-1", "obligations": "[]", "passed": "yes"}
    assert first.modes == {Target.REQUEST: BodyMode.BUFFERED, Target.RESPONSE: BodyMode.FULL_DUPLEX_STREAMED}
    assert first.observed is False


async def test_the_largest_body_that_is_judged_can_be_processed(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    authorizer.answer = sanitized("both")
    body = SECRET + b"x" * (MOST_BODY - len(SECRET))
    assert (await proxy.post(URL, body)).status == 200
    assert server.seen[0].body == body.replace(SECRET, MASK)
    assert server.seen[0].all("content-length") == [str(len(server.seen[0].body))]


async def test_a_request_without_a_body_still_has_its_response_processed(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    authorizer.answer = sanitized("both")
    server.reply = b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n" + SECRET
    assert (await proxy.get(URL)).body == MASK


async def test_a_client_cannot_set_the_obligation(proxy: Proxy, authorizer: Authorizer, server: ToolServer) -> None:
    authorizer.answer = replace(sanitized("x"), upstream_headers={}, removed_headers=())
    reply = await proxy.post(URL, SECRET, f"{OBLIGATION}: request", "X-Aegis-Obligation: other")
    assert (reply.status, server.seen[0].body, authorizer.pieces) == (200, SECRET, [])


@pytest.mark.parametrize("obligation", ["other", "Request", "request,response", "both ish", ""])
async def test_an_obligation_that_envoy_does_not_know_stops_the_call(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer, obligation: str
) -> None:
    authorizer.answer = sanitized(obligation)
    reply = await proxy.post(URL, b"{}")
    assert (reply.status, server.seen, authorizer.pieces) == (403, [], [])


async def test_a_denial_does_not_pass_the_processor(proxy: Proxy, authorizer: Authorizer, server: ToolServer) -> None:
    authorizer.answer = replace(sanitized("both"), effect=Effect.DENY, grpc_code=7, body=SECRET)
    reply = await proxy.post(URL, b"{}", f"{OBLIGATION}: both")
    assert (reply.status, reply.body, authorizer.pieces) == (200, SECRET, [])
