"""What a gateway that is none of ours must say before its questions are read, and what of it is believed."""

from __future__ import annotations

import pytest
from envoy.service.auth.v3 import external_auth_pb2
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.envoy.ext_authz import read_check_request
from aegis_authz.wire.http.call import HttpCall


def question(gateway: str | None, joined: dict[str, str] | None = None, **raw: bytes) -> bytes:
    message = external_auth_pb2.CheckRequest()
    http = message.attributes.request.http
    http.method, http.path, http.host, http.scheme, http.raw_body = "POST", "/pay", "api.example", "http", b"{}"
    if gateway is not None:
        message.attributes.context_extensions["aegis.gateway"] = gateway
    http.headers.update(joined or {})
    for name, value in raw.items():
        http.header_map.headers.add(key=name.replace("_", "-"), raw_value=value)
    return message.SerializeToString()


def refusal(message: bytes) -> tuple[Reason, str]:
    with pytest.raises(Refused) as refused:
        read_check_request(message)
    return refused.value.reason, refused.value.detail


def read(message: bytes) -> HttpCall:
    return read_check_request(message)


@pytest.mark.parametrize("gateway", [None, "", "Whole", "yes", "joined,whole"])
def test_who_names_neither_a_listener_nor_itself_is_not_read(gateway: str | None) -> None:
    reason, detail = refusal(question(gateway, x_aegis_token=b"t"))
    assert reason is Reason.REQUEST_UNREADABLE
    assert "aegis.gateway" in detail


def test_headers_as_they_came_are_read_as_ever() -> None:
    call = read(question("whole", x_aegis_token=b"t"))
    assert (call.headers["x-aegis-token"], call.listener) == (("t",), "")


def test_joined_headers_are_refused_where_the_gateway_does_not_say_that_it_joins() -> None:
    reason, detail = refusal(question("whole", {"x-aegis-token": "t"}))
    assert (reason, "encode_raw_headers" in detail) == (Reason.REQUEST_UNREADABLE, True)


def test_of_joined_headers_a_comma_is_several_values() -> None:
    call = read(question("joined", {":path": "/pay", "x-aegis-token": "a, b", "content-type": "application/json"}))
    assert call.headers["x-aegis-token"] == ("a", "b")
    assert call.headers["content-type"] == ("application/json",)
    assert call.values_of("x-aegis-token") == ("a", "b")


@pytest.mark.parametrize("path", ["/pay!", "/p\N{REPLACEMENT CHARACTER}y", "/päy"])
def test_a_path_that_may_be_another_one_is_refused(path: str) -> None:
    assert refusal(question("joined", {":path": path}))[0] is Reason.AMBIGUOUS_HEADERS


def test_a_parameter_that_may_be_another_value_is_refused_when_it_is_read() -> None:
    call = read(question("joined", {"x-account": "acct!", "x-plain": "acct"}))
    assert call.values_of("x-plain") == ("acct",)
    with pytest.raises(Refused) as refused:
        call.values_of("x-account")
    assert refused.value.reason is Reason.AMBIGUOUS_HEADERS


def test_a_client_s_own_word_of_its_connection_is_not_believed() -> None:
    message = external_auth_pb2.CheckRequest.FromString(question("whole", x_aegis_tls=b"TLSv1.3"))
    assert read(message.SerializeToString()).over_tls is False
    message.attributes.context_extensions["aegis.listener"] = "forward"
    assert read(message.SerializeToString()).over_tls is True


@given(
    st.lists(st.text(st.characters(codec="ascii", exclude_characters=",\r\n\0"), min_size=1), min_size=2, max_size=4)
)
def test_several_values_never_read_as_one(values: list[str]) -> None:
    for glue in (",", ", "):
        call = read(question("joined", {"x-aegis-approval": glue.join(values)}))
        assert call.header("x-aegis-approval") is None
