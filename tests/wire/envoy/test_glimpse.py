"""What is seen of a CheckRequest at a glance is what reading all of it says."""

from __future__ import annotations

import pytest
from envoy.service.auth.v3 import external_auth_pb2
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.refused import Refused
from aegis_authz.wire.envoy.ext_authz import LISTENER_EXTENSION, TOOL_EXTENSION, read_check_request
from aegis_authz.wire.envoy.glimpse import Glimpse, glimpse


def request(path: str, source: str = "10.0.0.9", hint: str = "", method: str = "POST") -> bytes:
    message = external_auth_pb2.CheckRequest()
    http = message.attributes.request.http
    http.method, http.path, http.host, http.scheme = method, path, "api.example", "http"
    message.attributes.source.address.socket_address.address = source
    message.attributes.context_extensions[LISTENER_EXTENSION] = "forward"
    if hint:
        message.attributes.context_extensions[TOOL_EXTENSION] = hint
    return message.SerializeToString()


@given(st.text("/amc?=%2e&", max_size=12), st.sampled_from(["10.0.0.9", "fe80::1", ""]))
def test_a_request_is_seen_as_it_is_read(path: str, source: str) -> None:
    call = read_check_request(request(path, source))
    assert glimpse(request(path, source)) == (call.source, call.path)


@pytest.mark.parametrize(
    ("path", "seen"),
    [
        ("/github/mcp?a=/b", "/mcp"),
        ("/github", "/"),
        ("/github/", "/"),
        ("/githubs/mcp", "s/mcp"),
        ("/mcp", "/mcp"),
    ],
)
def test_on_a_reverse_route_a_path_is_that_of_the_tool(path: str, seen: str) -> None:
    assert glimpse(request(path, hint="github")).path == seen


def test_the_address_of_a_request_that_cannot_be_read_is_seen() -> None:
    unreadable = request("/a", method="no method")
    with pytest.raises(Refused):
        read_check_request(unreadable)
    assert glimpse(unreadable) == Glimpse("10.0.0.9", "/a")


@given(st.binary(max_size=40))
def test_no_bytes_are_a_fault(message: bytes) -> None:
    glimpse(message)


def test_of_bytes_that_are_no_message_nothing_is_seen() -> None:
    assert glimpse(b"\xff\xff") == glimpse(b"") == Glimpse("", "")
