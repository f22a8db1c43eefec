from __future__ import annotations

import json
from typing import Any

import pytest

from aegis_authz.core.call import RpcShape
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.mcp.rpc import MOST_READ_TO_ANSWER, REPLY, STATUS_ONLY, rpc_of

LONG = "n" * MOST_READ_TO_ANSWER


def http(message: Any, method: str = "POST") -> HttpCall:
    body = message if isinstance(message, bytes) else json.dumps(message).encode()
    others: dict[str, Any] = dict.fromkeys(("request_id", "scheme", "host", "query", "source"), "")
    others |= dict.fromkeys(("tool_hint", "route", "listener", "principal"), "")
    return HttpCall(method=method, path="/mcp", headers={}, body=body, port=None, over_tls=False, **others)


def call(text: str = "") -> dict[str, Any]:
    return {"method": "tools/call", "params": {"name": "x", "text": text}, "jsonrpc": "2.0", "id": 7}


def test_an_unreadable_message_is_answered_by_status_alone() -> None:
    assert rpc_of(http(b"{")) == STATUS_ONLY
    assert rpc_of(http([call()])) == STATUS_ONLY
    assert rpc_of(http(call(), method="PUT")) == STATUS_ONLY
    assert rpc_of(http(call())).shape is RpcShape.CALL


@pytest.mark.parametrize(
    "message",
    [
        call(LONG),
        {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "x", "text": LONG}},
        {"method": "tools/call", "params": {"text": LONG}, "id": 7, "jsonrpc": "2.0"},
        {"id": 7, "method": "tools/call", "params": {"text": LONG}, "jsonrpc": "2.0"},
    ],
)
def test_of_a_long_message_the_members_at_its_ends_are_read(message: dict[str, Any]) -> None:
    rpc = rpc_of(http(message))
    assert (rpc.shape, rpc.id, rpc.method) == (RpcShape.CALL, 7, "tools/call")


@pytest.mark.parametrize(
    "message",
    [
        {"x": {}, "jsonrpc": "2.0", "id": 7, "method": "m", "params": {"text": LONG}},
        {"jsonrpc": "2.0", "method": "tools/list", "id": {"a": 1}, "params": {"text": LONG}},
        {"jsonrpc": "2.0", "params": {"text": LONG + ',"method":"m","id":7}'}},
        {"jsonrpc": "2.0", "params": {"text": LONG, "method": "m", "id": 7}},
        b"[" * 100_000,
        b"[" + b"{}," * 50_000 + b"{}]",
        b'{"id":007,"method":"m","x":"' + LONG.encode() + b'"}',
        b" " * 100_000,
        b'{"jsonrpc":"2.0",' * 10_000,
    ],
    ids=range(9),
)
def test_a_long_message_with_its_members_elsewhere_is_answered_by_status_alone(message: Any) -> None:
    assert rpc_of(http(message)) == STATUS_ONLY


@pytest.mark.parametrize(
    "message",
    [
        {"jsonrpc": "2.0", "id": 3, "result": {}},
        {"jsonrpc": "2.0", "id": 3, "error": {}},
        {"jsonrpc": "2.0", "id": 3, "result": {"text": LONG}},
        {"result": {"text": LONG}, "jsonrpc": "2.0", "id": 3},
    ],
    ids=range(4),
)
def test_a_reply_is_told_from_a_message_without_a_method(message: Any) -> None:
    assert rpc_of(http(message)) == REPLY


def test_a_long_notification_is_one() -> None:
    message = {"method": "notifications/progress", "params": {"text": LONG}, "jsonrpc": "2.0"}
    assert rpc_of(http(message)).shape is RpcShape.NOTIFICATION
    assert rpc_of(http(message)).method == "notifications/progress"


@pytest.mark.parametrize("body", [b"[" * MOST_READ_TO_ANSWER, b"[" + b"{}," * 5000 + b"{}]", b'{"id":1e999}'], ids=len)
def test_what_costs_most_to_read_is_answered_by_status_alone(body: bytes) -> None:
    assert rpc_of(http(body)) == STATUS_ONLY
