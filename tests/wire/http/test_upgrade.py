from __future__ import annotations

from dataclasses import replace

import pytest

from aegis_authz.core.call import ToolCall
from aegis_authz.core.catalogue import JSON_ALONE, ONE_OPERATION, Action, Catalogue, Tool
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.tool_call import read_tool_call

FOLLOW = Action("follow", "GET", ("stream",), (), False, JSON_ALONE, ONE_OPERATION)
PUT = Action("put", "PUT", ("plain",), (), False, JSON_ALONE, ONE_OPERATION)
TICKER = Tool("ticker", "t.example", None, "", (FOLLOW,), "", "", None, True, False, NO_INTERFACE)
PLAIN = Tool(
    "plain",
    "t.example",
    None,
    "",
    (PUT, replace(FOLLOW, template=("plain",))),
    "",
    "",
    None,
    False,
    False,
    NO_INTERFACE,
)
NOTES = Tool("notes", "t.example", None, "", (), "/mcp", "", None, False, False, NO_INTERFACE)
CATALOGUE = Catalogue.of((TICKER, PLAIN, NOTES))


def read(*upgrade: str, method: str = "GET", path: str = "/stream") -> ToolCall:
    def values_of(name: str) -> tuple[str, ...]:
        return upgrade if name == "upgrade" else ()

    call = HttpCall("", method, "http", "t.example", None, path, "", {}, b"", "", "", "", "", "", False, values_of)
    return read_tool_call(call, CATALOGUE)


def test_an_upgrade_is_another_call_than_one_without() -> None:
    plain, upgraded = read(), read("WebSocket")
    assert (plain.besides, upgraded.besides) == ({}, {"upgrade": "websocket"})
    assert plain.digest != upgraded.digest


@pytest.mark.parametrize(
    ("upgrade", "method", "path", "problem"),
    [
        (("websocket",), "GET", "/plain", "The catalogue lists no WebSocket of this tool."),
        (("h2c",), "GET", "/stream", "Only a GET without a body"),
        (("websocket", "websocket"), "GET", "/stream", "Only a GET without a body"),
        (("websocket, h2c",), "GET", "/stream", "Only a GET without a body"),
        (("websocket",), "PUT", "/plain", "The catalogue lists no WebSocket"),
        (("websocket",), "GET", "/mcp", "The catalogue lists no WebSocket"),
        (("WebSocket",), "GET", "/mcp/", "The catalogue lists no WebSocket"),
        (("h2c",), "DELETE", "/mcp", "The catalogue lists no WebSocket"),
    ],
)
def test_whatever_else_a_call_wants_to_become_is_refused(
    upgrade: tuple[str, ...], method: str, path: str, problem: str
) -> None:
    with pytest.raises(Refused) as refused:
        read(*upgrade, method=method, path=path)
    assert refused.value.reason is Reason.UPGRADE_UNLISTED
    assert refused.value.fault is not None
    assert problem in refused.value.fault.problem


def test_an_mcp_server_beside_a_websocket_is_called_as_ever() -> None:
    assert read(path="/mcp").tool == "notes"
