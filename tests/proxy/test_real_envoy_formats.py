"""Bodies that are not JSON, through the real Envoy: what was judged is what the tool receives."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import httpx
import pytest

from aegis_authz.core.call import ToolCall
from aegis_authz.core.catalogue import (
    ONE_OPERATION,
    Action,
    BodyFormat,
    Catalogue,
    Parameter,
    ParameterSource,
    ParameterType,
    Tool,
)
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.wire.envoy.ext_authz import read_check_request
from aegis_authz.wire.http.tool_call import read_tool_call

if TYPE_CHECKING:
    from conftest import Authorizer, Proxy, ToolServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

URL = "http://pay.example/v1/records"
FORM = "application/x-www-form-urlencoded"


def catalogue(*parameters: tuple[str, ParameterType], bodies: tuple[BodyFormat, ...]) -> Catalogue:
    listed = tuple(
        Parameter(at[1:].replace("/", "_"), ParameterSource.BODY, at, kind, False, None) for at, kind in parameters
    )
    action = Action("record", "POST", ("v1", "records"), listed, False, bodies, ONE_OPERATION)
    return Catalogue.of((Tool("pay", "pay.example", None, "", (action,), "", "", None, False, False, NO_INTERFACE),))


def judged(authorizer: Authorizer, tools: Catalogue) -> tuple[ToolCall, bytes]:
    http = read_check_request(authorizer.checks[-1].SerializeToString())
    return read_tool_call(http, tools), http.body


async def pass_through(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer, tools: Catalogue, body: bytes, *headers: str
) -> tuple[ToolCall, Any]:
    """Send a call, judge what the authorizer was shown, and send it again with the judged type, as the pipeline does."""
    await proxy.post(URL, body, *headers)
    call, _ = judged(authorizer, tools)
    authorizer.answer = replace(authorizer.answer, upstream_headers={"content-type": call.content_type})
    reply = await proxy.post(URL, body, *headers)
    again, shown = judged(authorizer, tools)
    received = server.seen[-1]
    assert (reply.status, again, shown) == (200, call, received.body)
    assert received.all("content-type") == [call.content_type]
    assert received.all("content-length") == [str(len(shown))]
    return call, received


async def test_a_form_reaches_the_tool_as_it_was_judged(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    tools = catalogue(
        ("/amount", ParameterType.INTEGER), ("/metadata/order", ParameterType.STRING), bodies=(BodyFormat.FORM,)
    )
    body = b"amount=4200&metadata[order]=no+7%21"
    call, received = await pass_through(
        proxy, authorizer, server, tools, body, f"Content-Type: {FORM.upper()} ; charset=UTF-8; boundary=x"
    )
    assert call.parameters == {"amount": 4200, "metadata_order": "no 7!"}
    assert parse_qs(received.body.decode()) == {"amount": ["4200"], "metadata[order]": ["no 7!"]}
    assert received.all("content-type") == [FORM]


async def test_a_file_reaches_the_tool_byte_for_byte(proxy: Proxy, authorizer: Authorizer, server: ToolServer) -> None:
    content = bytes(range(256)) * 64
    tools = catalogue(("/purpose", ParameterType.STRING), ("/file", ParameterType.FILE), bodies=(BodyFormat.MULTIPART,))
    request = httpx.Request("POST", URL, data={"purpose": "x"}, files={"file": ("a.bin", content)})
    body = request.read()
    call, received = await pass_through(
        proxy, authorizer, server, tools, body, f"content-type: {request.headers['content-type']}"
    )
    digest = hashlib.sha256(content).hexdigest()
    assert call.parameters["file"] == {
        "name": "a.bin",
        "type": "application/octet-stream",
        "size": len(content),
        "sha256": digest,
    }
    start = received.body.index(b"\r\n\r\n", received.body.index(b"filename=")) + 4
    assert hashlib.sha256(received.body[start : start + len(content)]).hexdigest() == digest


@pytest.mark.parametrize(
    ("body_format", "at", "kind", "content_type", "body"),
    [
        (BodyFormat.LINES, "/lines", ParameterType.ARRAY, "application/x-ndjson", b'{"a":1}\n{"a":2}\n'),
        (BodyFormat.TEXT, "/text", ParameterType.STRING, "text/csv; header=present", b"a,b\r\n1,2\r\n"),
        (BodyFormat.BINARY, "/sha256", ParameterType.STRING, "image/png", b"\x89PNG\r\n\x1a\n\0\xff"),
        (
            BodyFormat.GRAPHQL,
            "/arguments/pay/amount",
            ParameterType.INTEGER,
            "application/json",
            b'{"query":"mutation { pay(amount: 5) }"}',
        ),
    ],
)
async def test_lines_texts_content_and_operations_reach_the_tool_as_they_were_judged(
    proxy: Proxy,
    authorizer: Authorizer,
    server: ToolServer,
    body_format: BodyFormat,
    at: str,
    kind: ParameterType,
    content_type: str,
    body: bytes,
) -> None:
    tools = catalogue((at, kind), bodies=(body_format,))
    call, received = await pass_through(proxy, authorizer, server, tools, body, f"content-type: {content_type}")
    assert received.body == body
    assert len(call.parameters) == 1


async def test_a_form_in_pieces_and_one_that_is_cut_off_are_judged_whole_or_not_at_all(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    tools = catalogue(("/amount", ParameterType.INTEGER), bodies=(BodyFormat.FORM,))
    head = f"POST {URL} HTTP/1.1\r\nhost: pay.example\r\ncontent-type: {FORM}\r\n"
    chunked = head + "transfer-encoding: chunked\r\n\r\n5\r\namoun\r\n4\r\nt=42\r\n0\r\n\r\n"
    assert (await proxy.send(chunked.encode())).status == 200
    assert judged(authorizer, tools)[0].parameters == {"amount": 42}
    assert server.seen[-1].body == b"amount=42"
    checks = len(authorizer.checks)
    over = b"amount=" + b"1" * 70_000
    assert (await proxy.post(URL, over, f"content-type: {FORM}")).status == 413
    assert (len(authorizer.checks), len(server.seen)) == (checks, 1)
