"""Heads that open an MCP session pass the processor, and no others: in the real Envoy."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from aegis_authz.core.effect import Effect
from aegis_authz.wire.envoy.answer import Answer
from aegis_authz.wire.envoy.ext_proc import BodyMode

if TYPE_CHECKING:
    from conftest import Authorizer, Proxy, ToolServer

pytestmark = pytest.mark.asyncio(loop_scope="session")

URL = "http://pay.example/mcp"
ID = "mcp-session-id"
OPENING = Answer(
    effect=Effect.ALLOW,
    grpc_code=0,
    status=200,
    body=b"",
    client_headers={"x-aegis-decision": "allow", "x-aegis-decision-id": "d-1"},
    client_replacements={},
    upstream_headers={},
    removed_headers=("x-aegis-token",),
    metadata={"decision_id": "d-1", "session_owner": "o"},
    is_followed=True,
)


def reply(*headers: str) -> bytes:
    return "\r\n".join(("HTTP/1.1 200 OK", "content-length: 4", *headers, "", "done")).encode()


async def test_the_head_of_an_answer_that_opens_a_session_passes_the_processor_and_its_body_does_not(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    authorizer.answer = OPENING
    authorizer.head_changes = {ID: "wrapped"}
    server.reply = reply(f"{ID}: raw", "x-other: 1")
    answer = await proxy.post(URL, b"{}")
    assert (answer.status, answer.body, answer.all(ID)) == (200, b"done", ["wrapped"])
    (piece,) = authorizer.pieces
    assert piece.headers == {ID: ("raw",)}
    assert piece.modes is not None
    assert set(piece.modes.values()) == {BodyMode.NONE}
    assert piece.metadata is not None
    assert piece.metadata["session_owner"] == "o"


@pytest.mark.parametrize(
    ("answer", "headers"),
    [
        (OPENING, ()),
        (replace(OPENING, metadata={"decision_id": "d-1"}), (f"{ID}: raw",)),
    ],
)
async def test_no_other_head_passes_the_processor(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer, answer: Answer, headers: tuple[str, ...]
) -> None:
    authorizer.answer = answer
    server.reply = reply(*headers)
    got = await proxy.post(URL, b"{}")
    assert (got.status, got.body, authorizer.pieces) == (200, b"done", [])


@pytest.mark.parametrize("opened", ["raw", "", "\r\nmcp-session-id: second"])
async def test_whatever_the_tool_calls_a_session_passes_the_processor(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer, opened: str
) -> None:
    authorizer.answer = OPENING
    authorizer.head_changes = {ID: "wrapped"}
    server.reply = reply(f"{ID}: {opened}")
    assert (await proxy.post(URL, b"{}")).all(ID) == ["wrapped"]


async def test_a_session_that_opens_beside_a_redaction_is_wrapped_and_the_body_redacted(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    authorizer.answer = replace(
        OPENING,
        effect=Effect.SANITIZE,
        upstream_headers={"x-aegis-obligation": "response"},
        metadata={**OPENING.metadata, "obligations": "[]"},
    )
    authorizer.head_changes = {ID: "wrapped"}
    server.reply = f"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n{ID}: raw\r\n\r\n078-05-1120".encode()
    answer = await proxy.post(URL, b"{}")
    assert (answer.all(ID), answer.body) == (["wrapped"], b"[redacted]")


async def test_within_a_session_the_tool_gets_its_own_id_and_the_client_its_own(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer
) -> None:
    within = replace(
        OPENING,
        client_replacements={ID: "wrapped"},
        upstream_headers={ID: "raw"},
        metadata={"decision_id": "d-1"},
    )
    authorizer.answer = within
    server.reply = reply(f"{ID}: raw")
    answer = await proxy.post(URL, b"{}", f"{ID}: wrapped")
    assert (answer.all(ID), server.seen[0].all(ID), authorizer.pieces) == (["wrapped"], ["raw"], [])
    server.reply = reply()
    assert (await proxy.post(URL, b"{}", f"{ID}: wrapped")).all(ID) == []


@pytest.mark.parametrize("path", ["/mcp/", "/mcp?toolsets=a%20b&x=1&x=2", "/mcp"])
async def test_the_tool_gets_the_path_and_query_that_the_authorizer_sets(
    proxy: Proxy, authorizer: Authorizer, server: ToolServer, path: str
) -> None:
    authorizer.answer = replace(OPENING, upstream_headers={":path": path})
    server.reply = reply()
    assert (await proxy.post(f"{URL}?from=agent", b"{}")).status == 200
    assert (
        await proxy.send(b"POST /pay/mcp HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n", proxy.reverse)
    ).status == 200
    assert [seen.line.split()[1] for seen in server.seen][:1] == [path]
