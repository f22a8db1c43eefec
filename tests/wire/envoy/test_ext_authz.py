from __future__ import annotations

from dataclasses import replace

import pytest
from envoy.config.core.v3 import base_pb2
from envoy.service.auth.v3 import external_auth_pb2
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.effect import Effect
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.envoy.answer import Answer
from aegis_authz.wire.envoy.ext_authz import PASSED_METADATA, read_check_request, write_check_response


def request(
    host: str = "api.example", body: bytes = b"", scheme: str = "http", headers: tuple[tuple[str, bytes], ...] = ()
) -> external_auth_pb2.CheckRequest:
    message = external_auth_pb2.CheckRequest()
    http = message.attributes.request.http
    http.method, http.path, http.host, http.scheme, http.raw_body = "POST", "/a?b=1", host, scheme, body
    for key, value in headers:
        http.header_map.headers.add(key=key, raw_value=value)
    message.attributes.source.address.socket_address.address = "10.0.0.9"
    message.attributes.context_extensions["aegis.listener"] = "forward"
    return message


def reason_of(message: bytes) -> Reason:
    with pytest.raises(Refused) as refused:
        read_check_request(message)
    return refused.value.reason


def test_a_request_is_read_with_every_value_of_its_headers() -> None:
    headers = (("X-Aegis-Token", b"a"), ("x-aegis-token", b"b"), ("user-agent", b"\xff"))
    call = read_check_request(request(body=b"\xff\x00", headers=headers).SerializeToString())
    assert (call.method, call.path, call.query, call.body) == ("POST", "/a", "b=1", b"\xff\x00")
    assert call.headers == {"x-aegis-token": ("a", "b")}
    assert call.source == "10.0.0.9"


def test_only_a_unix_socket_has_no_address_because_it_needs_none() -> None:
    message = request()
    assert not read_check_request(message.SerializeToString()).over_socket
    for change, is_socket in (
        (lambda address: address.pipe.SetInParent(), True),
        (lambda address: setattr(address.pipe, "path", "/run/x"), True),
        (lambda address: setattr(address.envoy_internal_address, "server_listener_name", "x"), False),
        (lambda address: address.Clear(), False),
    ):
        change(message.attributes.source.address)
        call = read_check_request(message.SerializeToString())
        assert (call.source, call.over_socket) == ("", is_socket)
    message.attributes.ClearField("source")
    assert not read_check_request(message.SerializeToString()).over_socket


@pytest.mark.parametrize(("word", "expected"), [("yes", True), ("", False), ("no", False), ("Yes", False)])
def test_routes_alone_say_that_a_call_was_led_to_its_listener(word: str, expected: bool) -> None:
    message = request(headers=(("aegis.redirected", b"yes"), ("x-aegis-redirected", b"yes")))
    assert read_check_request(message.SerializeToString()).is_redirected is False
    message.attributes.context_extensions["aegis.redirected"] = word
    assert read_check_request(message.SerializeToString()).is_redirected is expected


@pytest.mark.parametrize(
    ("host", "scheme", "expected"),
    [
        ("API.Example", "http", ("api.example", None)),
        ("api.example:80", "http", ("api.example", None)),
        ("api.example:443", "https", ("api.example", None)),
        ("api.example:443", "http", ("api.example", 443)),
        ("[::1]:8080", "http", ("[::1]", 8080)),
    ],
)
def test_the_authority_is_host_and_port(host: str, scheme: str, expected: tuple[str, int | None]) -> None:
    call = read_check_request(request(host, scheme=scheme).SerializeToString())
    assert (call.host, call.port) == expected


@pytest.mark.parametrize(
    "host",
    [
        "",
        "a" * 254,
        "[" + ":" * 65 + "]",
        "user@api.example",
        "api.example:0",
        "api.example:0080",
        "api.example:99999",
        "a b",
        "api.example:80:80",
    ],
)
def test_an_authority_in_doubt_is_refused(host: str) -> None:
    assert reason_of(request(host).SerializeToString()) is Reason.AMBIGUOUS_HEADERS


@pytest.mark.parametrize("method", ["GET POST", "P" * 33, "GÉT"])
def test_a_method_that_is_no_short_token_is_refused(method: str) -> None:
    message = request()
    message.attributes.request.http.method = method
    assert reason_of(message.SerializeToString()) is Reason.REQUEST_UNREADABLE


@pytest.mark.parametrize("path", [b"/v1/payments?a=\xff", "/v1/payments?a=\u00e9".encode()])
def test_a_path_of_bytes_that_envoy_may_have_replaced_is_refused(path: bytes) -> None:
    message = request()
    message.attributes.request.http.header_map.headers.add(key=":path", raw_value=path)
    assert reason_of(message.SerializeToString()) is Reason.AMBIGUOUS_HEADERS


def test_a_body_packed_as_text_is_refused() -> None:
    message = request()
    message.attributes.request.http.body = "text"
    assert reason_of(message.SerializeToString()) is Reason.REQUEST_UNREADABLE


def test_joined_headers_are_refused() -> None:
    message = request()
    message.attributes.request.http.headers["x-aegis-token"] = "a,b"
    assert reason_of(message.SerializeToString()) is Reason.REQUEST_UNREADABLE


@given(st.binary(max_size=200))
def test_hostile_bytes_are_refused(data: bytes) -> None:
    assert reason_of(data) in (Reason.REQUEST_UNREADABLE, Reason.AMBIGUOUS_HEADERS)


def answer(effect: Effect) -> Answer:
    return Answer(
        effect=effect,
        grpc_code=0 if effect.lets_through else 7,
        status=200 if effect.lets_through else 403,
        body=b"" if effect.lets_through else b"{}",
        client_headers={"x-aegis-decision": effect.value},
        client_replacements={},
        upstream_headers={"x-aegis-obligation": "both"} if effect.lets_through else {},
        removed_headers=("x-aegis-token",) if effect.lets_through else (),
        metadata={"decision_id": "d1"},
        is_followed=True,
    )


def test_what_is_let_through_is_followed_where_it_is_somebodys() -> None:
    for is_followed in (True, False):
        written = write_check_response(replace(answer(Effect.ALLOW), is_followed=is_followed))
        fields = external_auth_pb2.CheckResponse.FromString(written).dynamic_metadata.fields
        assert (PASSED_METADATA in fields, fields["decision_id"].string_value) == (is_followed, "d1")


@pytest.mark.parametrize("effect", [Effect.DENY, Effect.APPROVAL_NEEDED])
def test_a_refusal_never_carries_the_status_of_an_allow(effect: Effect) -> None:
    response = external_auth_pb2.CheckResponse.FromString(write_check_response(replace(answer(effect), grpc_code=0)))
    assert response.status.code == 7


@pytest.mark.parametrize("effect", Effect)
def test_only_an_effect_that_lets_through_becomes_ok(effect: Effect) -> None:
    response = external_auth_pb2.CheckResponse.FromString(write_check_response(answer(effect)))
    assert response.WhichOneof("http_response") == ("ok_response" if effect.lets_through else "denied_response")
    assert (response.status.code == 0) == effect.lets_through
    assert response.dynamic_metadata.fields["decision_id"].string_value == "d1"


def test_request_headers_are_overwritten_and_none_is_ever_appended() -> None:
    response = external_auth_pb2.CheckResponse.FromString(write_check_response(answer(Effect.SANITIZE)))
    assert {option.append_action for option in response.ok_response.headers} == {2}  # overwrite or add
    assert {option.append_action for option in response.ok_response.response_headers_to_add} == {1}  # add if absent
    assert list(response.ok_response.headers_to_remove) == ["x-aegis-token"]


@pytest.mark.parametrize(
    "noted", [{}, {"cost": '{"reserved":true}'}, {"cost": "{}", "usage": "yes"}, {"obligations": "[]"}]
)
def test_whatever_is_noted_of_a_call_that_passes_is_in_its_metadata(noted: dict[str, str]) -> None:
    for number in (1, 2):  # the second is made of what the first left
        metadata = {"decision_id": f"d{number}", **noted}
        headers = {"x-aegis-decision": "allow", "x-aegis-decision-id": f"d{number}"}
        passed = replace(answer(Effect.ALLOW), client_headers=headers, metadata=metadata)
        fields = external_auth_pb2.CheckResponse.FromString(write_check_response(passed)).dynamic_metadata.fields
        assert {name: value.string_value for name, value in fields.items()} == {"passed": "yes", **metadata}


@pytest.mark.parametrize("metadata", [{"decision_id": "d1"}, {"decision_id": "d1", "obligations": "[]"}])
def test_the_id_of_a_session_is_set_for_the_tool_and_replaced_for_the_client_where_the_tool_sets_it(
    metadata: dict[str, str],
) -> None:
    session = replace(
        answer(Effect.ALLOW),
        client_headers={"x-aegis-decision": "allow", "x-aegis-decision-id": "d1"},
        client_replacements={"mcp-session-id": "wrapped"},
        upstream_headers={"mcp-session-id": "raw", "content-type": "application/json"},
        metadata=metadata,
    )
    ok = external_auth_pb2.CheckResponse.FromString(write_check_response(session)).ok_response
    upstream = {option.header.key: (option.header.value, option.append_action) for option in ok.headers}
    client = {option.header.key: (option.header.value, option.append_action) for option in ok.response_headers_to_add}
    option = base_pb2.HeaderValueOption
    assert upstream["mcp-session-id"] == ("raw", option.OVERWRITE_IF_EXISTS_OR_ADD)
    assert upstream["content-type"][0] == "application/json"
    assert client["mcp-session-id"] == ("wrapped", option.OVERWRITE_IF_EXISTS)
    assert client["x-aegis-decision-id"] == ("d1", option.ADD_IF_ABSENT)
