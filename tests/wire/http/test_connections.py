"""CONNECT, as the call of a tool that is passed through unopened."""

from __future__ import annotations

from typing import Any

import pytest

from aegis_authz.core.call import CallKind
from aegis_authz.core.catalogue import JSON_ALONE, ONE_OPERATION, Action, Catalogue, Tool
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.tool_call import read_tool_call

CONNECT = Action("connect", "CONNECT", ("",), (), False, JSON_ALONE, ONE_OPERATION)
PINNED = Tool(
    "pinned", "pinned.example", None, "tls://pinned.example", (CONNECT,), "", "", None, False, False, NO_INTERFACE
)
HIGH = Tool(
    "high", "pinned.example", 8443, "tls://pinned.example:8443", (CONNECT,), "", "", None, False, False, NO_INTERFACE
)
PLAIN = Tool("plain", "api.example", None, "", (), "", "", None, False, False, NO_INTERFACE)
WRITTEN = Tool("written", "written.example", 443, "", (), "", "", None, False, False, NO_INTERFACE)
CATALOGUE = Catalogue.of((PINNED, HIGH, PLAIN, WRITTEN))


def request(**changes: Any) -> HttpCall:
    facts = {
        "request_id": "r",
        "method": "CONNECT",
        "scheme": "http",
        "host": "pinned.example",
        "port": 443,
        "path": "",
    }
    rest = {"query": "", "headers": {}, "body": b"", "source": "", "tool_hint": "", "route": "", "listener": ""}
    return HttpCall(**{**facts, **rest, "principal": "", "over_tls": False, **changes})


def test_a_connect_is_the_one_action_of_a_tool_that_is_passed_through() -> None:
    call = read_tool_call(request(), CATALOGUE)
    assert (call.kind, call.tool, call.action, call.method) == (CallKind.ACTION, "pinned", "connect", "CONNECT")
    assert (call.parameters, call.besides) == ({}, {"opaque": "what passes this connection is read by nobody"})
    assert read_tool_call(request(port=8443), CATALOGUE).tool == "high"


def test_a_connect_to_anybody_else_is_nobodys() -> None:
    for host, port in (("api.example", 443), ("evil.example", 443), ("pinned.example", 22), ("pinned.example", None)):
        assert read_tool_call(request(host=host, port=port), CATALOGUE).kind is CallKind.UNCLAIMED


def test_what_would_have_to_be_read_is_no_action_of_it() -> None:
    for changes in ({"scheme": "https", "port": None}, {"port": None}):
        with pytest.raises(Refused) as refused:
            read_tool_call(request(method="GET", path="/", **changes), CATALOGUE)
        assert refused.value.reason is Reason.ACTION_UNKNOWN


def test_over_https_an_entry_may_write_the_port_of_https() -> None:
    with pytest.raises(Refused) as refused:
        read_tool_call(request(method="GET", scheme="https", host="written.example", port=None, path="/x"), CATALOGUE)
    assert "no action of written" in refused.value.detail
