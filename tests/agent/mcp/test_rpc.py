from __future__ import annotations

import json

import pytest

from aegis_authz.agent.mcp.rpc import PROTOCOL_META, error_line, mirrored_headers, one_line, read_message
from aegis_authz.encoding import mcp_header


def message(**members: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}).encode()


def test_a_message_is_told_by_what_it_has() -> None:
    request = read_message(message(id=0, method="tools/list"))
    assert (request.id, request.method, request.is_request) == (0, "tools/list", True)
    assert not read_message(message(method="notifications/initialized")).is_request
    answer = read_message(message(id="a", result={}))
    assert (answer.id, answer.method, answer.is_request) == ("a", "", False)


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"[]",
        b"[{}]",
        b"1",
        b"{}",
        b"\xff",
        b"[" * 100_000,
        message(id=True),
        message(id=1.5),
        message(method=1),
    ],
)
def test_whatever_else_is_no_message(text: bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|type"):
        read_message(text)


def test_a_message_on_many_lines_is_carried_on_one_and_means_the_same() -> None:
    text = json.dumps({"jsonrpc": "2.0", "id": 1, "result": {"text": "a\nb"}}, indent=2).replace("\n", "\r\n").encode()
    assert b"\n" not in one_line(text)
    assert json.loads(one_line(text)) == json.loads(text)


def test_an_error_answers_the_request_it_is_about() -> None:
    answer = json.loads(error_line(7, "gone"))
    assert (answer["id"], answer["error"]["message"]) == (7, "gone")


def test_a_stateless_message_is_mirrored_in_headers() -> None:
    params = {"name": "write_note", "_meta": {PROTOCOL_META: "2026-07-28"}}
    assert mirrored_headers(read_message(message(id=1, method="tools/call", params=params))) == (
        ("mcp-protocol-version", "2026-07-28"),
        ("mcp-method", "tools/call"),
        ("mcp-name", "write_note"),
    )
    assert mirrored_headers(read_message(message(id=1, method="tools/call", params={"name": "x"}))) == ()


@pytest.mark.parametrize("name", ["größe", " x", "a\nb", "=?base64?eA==?=", ""])
def test_a_name_that_a_header_cannot_carry_is_encoded(name: str) -> None:
    params = {"uri": name, "_meta": {PROTOCOL_META: "2026-07-28"}}
    headers = dict(mirrored_headers(read_message(message(id=1, method="resources/read", params=params))))
    assert mcp_header.is_encoded(headers["mcp-name"])
    assert mcp_header.decode(headers["mcp-name"]) == name
