from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.call import CallKind, ToolCall
from aegis_authz.core.catalogue import (
    JSON_ALONE,
    ONE_OPERATION,
    Action,
    BodyFormat,
    Catalogue,
    Parameter,
    ParameterSource,
    ParameterType,
    Tool,
)
from aegis_authz.core.fault import Fault
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.tool_call import read_tool_call, takes_long

AMOUNT = Parameter("amount", ParameterSource.BODY, "/amount", ParameterType.NUMBER, False, None)
PAYEE = Parameter("payee", ParameterSource.BODY, "/to/0/name", ParameterType.STRING, False, None)
LIMIT = Parameter("limit", ParameterSource.QUERY, "limit", ParameterType.INTEGER, False, None)
STRIPE = Tool(
    "stripe",
    "api.stripe.example",
    None,
    "http://127.0.0.1:9001",
    (
        Action("create_payment", "POST", ("v1", "payments"), (AMOUNT, PAYEE), False, JSON_ALONE, ONE_OPERATION),
        Action("get_payment", "GET", ("v1", "payments", "{id}"), (), False, JSON_ALONE, ONE_OPERATION),
        Action("latest_payment", "GET", ("v1", "payments", "latest"), (), False, JSON_ALONE, ONE_OPERATION),
        Action("list_payments", "GET", ("v1", "payments"), (LIMIT,), False, JSON_ALONE, ONE_OPERATION),
        Action("update_payment", "PUT", ("v1", "payments", "{id}"), (), False, JSON_ALONE, ONE_OPERATION),
    ),
    "",
    "",
    None,
    False,
    False,
    NO_INTERFACE,
)
CATALOGUE = Catalogue.of((STRIPE,))


def http(method: str, target: str, body: bytes = b"", **changes: Any) -> HttpCall:
    path, _, query = target.partition("?")
    given: dict[str, Any] = {
        "request_id": "r1",
        "method": method,
        "scheme": "http",
        "host": "api.stripe.example",
        "port": None,
        "path": path,
        "query": query,
        "headers": {},
        "body": body,
        "source": "10.0.0.1",
        "tool_hint": "",
        "route": "",
        "listener": "",
        "principal": "",
        "over_tls": False,
    }
    return HttpCall(**given | changes)


def read(method: str, target: str, body: bytes = b"", **changes: Any) -> ToolCall:
    return read_tool_call(http(method, target, body, **changes), CATALOGUE)


def reason_of(method: str, target: str, body: bytes = b"", **changes: Any) -> Reason:
    with pytest.raises(Refused) as refused:
        read(method, target, body, **changes)
    return refused.value.reason


def test_a_declared_parameter_is_taken_by_its_pointer() -> None:
    call = read("POST", "/v1/payments", b'{"amount":4200,"to":[{"name":"bob"}]}')
    assert (call.tool, call.action) == ("stripe", "create_payment")
    assert call.parameters == {"amount": 4200, "payee": "bob"}


def test_an_absent_declared_parameter_is_absent() -> None:
    assert read("POST", "/v1/payments", b"{}").parameters == {}


def test_without_declarations_path_query_and_body_are_the_parameters() -> None:
    call = read("PUT", "/v1/payments/p%201?dry=1", b'{"note":"x"}')
    assert call.parameters == {"id": "p 1", "dry": "1", "note": "x"}


def test_a_query_of_structured_names_is_read_name_by_name() -> None:
    call = read("PUT", "/v1/payments/p1?filter[a]=1&filter[b]=2", b'{"note":"100%"}')
    assert call.parameters == {"id": "p1", "filter[a]": "1", "filter[b]": "2", "note": "100%"}


def test_members_that_nobody_declared_pass_where_the_action_lets_others_pass() -> None:
    noting = Action(
        "note", "POST", ("notes",), (AMOUNT, PAYEE), others=True, bodies=JSON_ALONE, operations=ONE_OPERATION
    )
    catalogue = Catalogue.of(
        (Tool("notes", "notes.example", None, "", (noting,), "", "", None, False, False, NO_INTERFACE),)
    )
    body = b'{"amount":1,"note":"x","to":[{"name":"bob","iban":"y"},5]}'
    call = read_tool_call(http("POST", "/notes?dry=1", body, host="notes.example"), catalogue)
    assert call.parameters == {"amount": 1, "payee": "bob"}
    for disguised in (b'{"Amount ":2}', b'{"to":[{"Name":"eve"}]}'):
        with pytest.raises(Refused) as refused:
            read_tool_call(http("POST", "/notes", disguised, host="notes.example"), catalogue)
        assert refused.value.reason is Reason.MALFORMED_CALL


def test_a_get_may_have_a_body_when_a_parameter_is_declared_in_it() -> None:
    search = Action(
        "search",
        "GET",
        ("search",),
        (Parameter("q", ParameterSource.BODY, "/query", ParameterType.STRING, False, None),),
        False,
        JSON_ALONE,
        ONE_OPERATION,
    )
    catalogue = Catalogue.of(
        (Tool("engine", "engine.example", None, "", (search,), "", "", None, False, False, NO_INTERFACE),)
    )
    call = read_tool_call(http("GET", "/search", b'{"query":"x"}', host="engine.example"), catalogue)
    assert call.parameters == {"q": "x"}


def test_a_literal_segment_wins_over_a_variable() -> None:
    assert read("GET", "/v1/payments/latest").action == "latest_payment"
    assert read("GET", "/v1/payments/p1").action == "get_payment"


@pytest.mark.parametrize(
    "segment",
    [
        "Latest", "LATEST", "latest.json", "latest.", "latest%20", "latest,x", "latest:verb",
        "%256catest", "latest%2500", "lat%E2%80%8Best", "%EF%BD%8Catest", "latest~",
    ],
)  # fmt: skip
def test_a_path_that_a_server_may_take_for_that_of_another_action_is_refused(segment: str) -> None:
    assert reason_of("GET", f"/v1/payments/{segment}") is Reason.MALFORMED_CALL


@pytest.mark.parametrize("segment", ["latest2", "the-latest", "lates", "latest_1", "latest-1"])
def test_a_path_that_begins_as_that_of_another_action_is_its_own(segment: str) -> None:
    assert read("GET", f"/v1/payments/{segment}").action == "get_payment"


@pytest.mark.parametrize("limit", ["5e0", "50e-1", "0x5", "05", "+5", "5.", ".5", "5_0", " 5", "\u0665"])
def test_a_number_of_a_query_is_written_in_digits(limit: str) -> None:
    assert reason_of("GET", f"/v1/payments?limit={quote(limit)}") in (Reason.PARAMETER_TYPE, Reason.MALFORMED_CALL)


def test_an_address_nobody_claims_is_unclaimed() -> None:
    call = read("GET", "/", host="evil.example")
    assert (call.kind, call.tool, call.host) == (CallKind.UNCLAIMED, "", "evil.example")
    assert read("GET", "/", port=8080).kind is CallKind.UNCLAIMED


def test_a_reverse_route_names_its_tool() -> None:
    call = read("GET", "/stripe/v1/payments/p1", host="127.0.0.1", port=1234, tool_hint="stripe")
    assert (call.action, call.host, call.path) == ("get_payment", "api.stripe.example", "/v1/payments/p1")


def test_a_reverse_route_cannot_reach_another_tool_by_its_path() -> None:
    assert read("GET", "/v1/payments/p1", tool_hint="stripe").kind is CallKind.UNCLAIMED
    assert read("GET", "/stripex/v1/payments/p1", tool_hint="stripe").kind is CallKind.UNCLAIMED
    assert read("GET", "/gone/x", tool_hint="gone").kind is CallKind.UNCLAIMED


@pytest.mark.parametrize(
    ("method", "target", "body", "reason"),
    [
        ("DELETE", "/v1/payments/p1", b"", Reason.ACTION_UNKNOWN),
        ("GET", "/v2/payments", b"", Reason.ACTION_UNKNOWN),
        ("GET", "/v1/payments/", b"", Reason.ACTION_UNKNOWN),
        ("GET", "/v1/payments;a=b/p1", b"", Reason.MALFORMED_CALL),
        ("GET", "/v1/payments/%2e%2e", b"", Reason.MALFORMED_CALL),
        ("GET", "/v1/payments/a%2Fb", b"", Reason.MALFORMED_CALL),
        ("GET", "/v1/payments/a%5cb", b"", Reason.MALFORMED_CALL),
        ("GET", "/v1/payments/%ff", b"", Reason.MALFORMED_CALL),
        ("GET", "/v1/payments/a%00b", b"", Reason.MALFORMED_CALL),
        ("GET", "/v1/payments/p1?a=1&a=2", b"", Reason.DUPLICATE_KEY),
        ("GET", "/v1/payments/p1?a=1&A=2", b"", Reason.DUPLICATE_KEY),
        ("GET", "/v1/payments/p1?id=p2", b"", Reason.DUPLICATE_KEY),
        ("GET", "/v1/payments/p1?a=1;b=2", b"", Reason.MALFORMED_CALL),
        ("GET", "/v1/payments?limit=ten", b"", Reason.PARAMETER_TYPE),
        ("GET", "/v1/payments?limit=1.5", b"", Reason.PARAMETER_TYPE),
        ("POST", "/v1/payments", b'{"amount":"4200"}', Reason.PARAMETER_TYPE),
        ("POST", "/v1/payments", b'{"amount":true}', Reason.PARAMETER_TYPE),
        ("POST", "/v1/payments", b'{"amount":null}', Reason.PARAMETER_TYPE),
        ("POST", "/v1/payments", b'{"amount":[4200]}', Reason.PARAMETER_TYPE),
        ("POST", "/v1/payments", b'{"amount":NaN}', Reason.MALFORMED_CALL),
        ("POST", "/v1/payments", b'{"amount":1,"Amount":50000}', Reason.DUPLICATE_KEY),
        ("POST", "/v1/payments", b"amount=4200", Reason.MALFORMED_CALL),
        ("PUT", "/v1/payments/p1", b"[1]", Reason.MALFORMED_CALL),
        ("PUT", "/v1/payments/p1", b'{"id":"p2"}', Reason.DUPLICATE_KEY),
        ("PUT", "/v1/payments/p1", b'{"ID":"p2"}', Reason.DUPLICATE_KEY),
        ("PUT", "/v1/payments/p1?Note=b", b'{"note":"a"}', Reason.DUPLICATE_KEY),
        ("PUT", "/v1/payments/p1?note[]=b", b'{"note":"a"}', Reason.DUPLICATE_KEY),
        ("GET", "/v1/payments/p1?id[0]=p2", b"", Reason.DUPLICATE_KEY),
        ("POST", "/v1/payments", b'{"Amount":50000}', Reason.MALFORMED_CALL),
        ("POST", "/v1/payments", b'{"to":[{"NAME":"bob"}]}', Reason.MALFORMED_CALL),
        ("POST", "/v1/payments?amount=50000", b'{"amount":1}', Reason.DUPLICATE_KEY),
        ("POST", "/v1/payments?dry=1", b'{"amount":1}', Reason.PARAMETER_UNKNOWN),
        ("POST", "/v1/payments", b'{"amount":1,"note":"x"}', Reason.PARAMETER_UNKNOWN),
        ("POST", "/v1/payments", b'{"amount":1,"to":[{"name":"bob"},{"name":"eve"}]}', Reason.PARAMETER_UNKNOWN),
        ("POST", "/v1/payments", b'{"amount":1,"to":[{"name":"bob","iban":"x"}]}', Reason.PARAMETER_UNKNOWN),
        ("POST", "/v1/payments", b'{"amount":1,"to":"bob"}', Reason.PARAMETER_UNKNOWN),
        ("POST", "/v1/payments", b"[1]", Reason.PARAMETER_UNKNOWN),
        ("POST", "/v1/payments", b"1", Reason.PARAMETER_UNKNOWN),
        ("POST", "/v1/payments", '{"amount":1,"am\u00adount":50000}'.encode(), Reason.DUPLICATE_KEY),
        ("POST", "/v1/payments", '{"amount":1,"\uff41mount":50000}'.encode(), Reason.DUPLICATE_KEY),
        ("POST", "/v1/payments", b'{"amount ":50000}', Reason.MALFORMED_CALL),
        ("POST", "/v1/payments", b'{"amount[]":50000}', Reason.MALFORMED_CALL),
        ("POST", "/v1/payments", b'{"to":[{"name":"bob","NAME ":"eve"}]}', Reason.DUPLICATE_KEY),
        ("PUT", "/v1/payments/p1?i.d=1&i_d=2", b"{}", Reason.DUPLICATE_KEY),
        ("PUT", "/v1/payments/p1?q=1&q%20=2", b"{}", Reason.DUPLICATE_KEY),
        ("PUT", "/v1/payments/p1?q=1&%EF%BD%91=2", b"{}", Reason.DUPLICATE_KEY),
        ("PUT", "/v1/payments/p1?q=1&q[]=2", b"{}", Reason.DUPLICATE_KEY),
        ("PUT", "/v1/payments/p1?q[0]=1&q=2", b"{}", Reason.DUPLICATE_KEY),
        ("PUT", "/v1/payments/p1?q[x]=1&Q[X]=2", b"{}", Reason.DUPLICATE_KEY),
        ("PUT", "/v1/payments/p1?__proto__[q]=1", b"{}", Reason.MALFORMED_CALL),
        ("PUT", "/v1/payments/p1?a.constructor.prototype.q=1", b"{}", Reason.MALFORMED_CALL),
        ("PUT", "/v1/payments/p1", b'{"q":1,"q ":2}', Reason.DUPLICATE_KEY),
        ("PUT", "/v1/payments/p1", b'{"__proto__":{"q":2}}', Reason.MALFORMED_CALL),
        ("PUT", "/v1/payments/p1?a.b=1", b'{"a_b":2}', Reason.DUPLICATE_KEY),
        ("PUT", "/v1/payments/p1", '{"\u200did":"p2"}'.encode(), Reason.DUPLICATE_KEY),
        ("GET", "/v1/payments?LIMIT=5", b"", Reason.MALFORMED_CALL),
        ("GET", "/v1/payments?limit=5", b'{"limit":50000}', Reason.MALFORMED_CALL),
        ("GET", "/v1/payments/p1", b'{"note":"x"}', Reason.MALFORMED_CALL),
        ("PUT", "/v1/payments/p1?_method=DELETE", b"{}", Reason.MALFORMED_CALL),
        ("PUT", "/v1/payments/p1", b'{"_Method":"DELETE"}', Reason.MALFORMED_CALL),
        ("POST", "/v1/payments", b'{"amount":1,"_method":"DELETE"}', Reason.MALFORMED_CALL),
        ("POST", "/v1/payments", b'{"amount":1,"_met\\u00adhod":"DELETE"}', Reason.MALFORMED_CALL),
        ("POST", "/v1/payments", b'{"amount":1,"_met\\u0001hod":"DELETE"}', Reason.MALFORMED_CALL),
        ("GET", "/v1/payments/p1?a=%zz", b"", Reason.MALFORMED_CALL),
        ("GET", "/v1/payments/p1?%u0061mount=5", b"", Reason.MALFORMED_CALL),
        ("GET", "/v1/payments/p%", b"", Reason.MALFORMED_CALL),
        ("GET", "/v1/payments/%252e%252e%252fadmin", b"", Reason.MALFORMED_CALL),
        ("GET", "/v1/payments/a%255Cb", b"", Reason.MALFORMED_CALL),
    ],
)
def test_a_request_in_doubt_is_refused(method: str, target: str, body: bytes, reason: Reason) -> None:
    assert reason_of(method, target, body) is reason


@pytest.mark.parametrize("target", ["", "?_method=x", "?_Method=x", "?%2F_method=x", "?_method=x&_METHOD=y"])
@pytest.mark.parametrize("body", [b"{}", b'{"_method":"x"}', b'{"_METHOD":"x"}', b'{"/_method":"x"}'])
@pytest.mark.parametrize("source", ParameterSource)
def test_another_method_is_a_parameter_where_and_as_it_is_declared_alone(
    source: ParameterSource, body: bytes, target: str
) -> None:
    at = "/_method" if source is ParameterSource.BODY else "_method"
    declared = Parameter("way", source, at, ParameterType.STRING, False, None)
    action = Action("update", "PUT", ("v1",), (declared,), True, JSON_ALONE, ONE_OPERATION)
    catalogue = Catalogue.of((replace(STRIPE, actions=(action,)),))
    passing = {ParameterSource.QUERY: ("?_method=x", b"{}"), ParameterSource.BODY: ("", b'{"_method":"x"}')}
    if (target, body) == passing.get(source):
        assert read_tool_call(http("PUT", f"/v1{target}", body), catalogue).parameters == {"way": "x"}
    elif (target, body) != ("", b"{}"):
        with pytest.raises(Refused) as refusal:
            read_tool_call(http("PUT", f"/v1{target}", body), catalogue)
        assert refusal.value.reason in (Reason.MALFORMED_CALL, Reason.DUPLICATE_KEY)


@pytest.mark.parametrize(
    ("sent", "forwarded"),
    [
        (None, "application/json"),
        ("application/x-www-form-urlencoded", "application/json"),
        ("text/plain", "application/json"),
        ("application/json; charset=UTF-8", "application/json"),
        ("application/merge-patch+json", "application/merge-patch+json"),
        ("application/vnd.api+json; charset=utf-8", "application/vnd.api+json"),
        ("application/x-www-form-urlencoded+json", "application/json"),
        ("multipart/form-data+json; boundary=x", "application/json"),
        ("application/a b+json", "application/json"),
    ],
)
def test_the_tool_is_told_to_read_what_was_judged(sent: str | None, forwarded: str) -> None:
    headers = {} if sent is None else {"content-type": (sent,)}
    assert read("POST", "/v1/payments", b'{"amount":1}', headers=headers).content_type == forwarded


def test_another_charset_is_refused() -> None:
    headers = {"content-type": ("application/json; charset=utf-16",)}
    assert reason_of("POST", "/v1/payments", b"{}", headers=headers) is Reason.MALFORMED_CALL


def test_two_content_types_that_envoy_joined_are_refused() -> None:
    headers = {"content-type": ("application/x-www-form-urlencoded,text/x+json",)}
    assert reason_of("POST", "/v1/payments", b"{}", headers=headers) is Reason.AMBIGUOUS_HEADERS


def test_the_digest_does_not_see_spelling_but_every_value() -> None:
    digest = read("POST", "/v1/payments", b'{"amount":7000,"to":[{"name":"a"}]}').digest
    assert read("POST", "/v1/payments", b' { "to" : [{"name": "a"}], "amount" : 7000 } ').digest == digest
    assert read("POST", "/v1/payments", b'{"amount":7001,"to":[{"name":"a"}]}').digest != digest
    assert read("POST", "/v1/payments", b'{"amount":7000,"to":[{"name":"b"}]}').digest != digest
    update = read("PUT", "/v1/payments/p1", b'{"note":"a"}').digest
    assert read("PUT", "/v1/payments/p1?x=1", b'{"note":"a"}').digest != update


@given(st.text(max_size=60), st.binary(max_size=60))
def test_hostile_requests_are_read_or_refused(path: str, body: bytes) -> None:
    try:
        call = read("POST", "/" + path, body)
    except Refused:
        return
    assert call.tool == "stripe"


def test_null_in_a_body_is_no_optional_parameter() -> None:
    note = Parameter("note", ParameterSource.BODY, "/note", ParameterType.STRING, True, None)
    tool = replace(
        STRIPE,
        actions=(
            Action("create_payment", "POST", ("v1", "payments"), (AMOUNT, note), False, JSON_ALONE, ONE_OPERATION),
        ),
    )
    catalogue = Catalogue.of((tool,))
    request = http("POST", "/v1/payments", b'{"amount": 5, "note": null}')
    assert read_tool_call(request, catalogue).parameters == {"amount": 5}
    for body in (b'{"amount": null}', b'{"amount": 5, "note": 5}', b'{"amount": 5, "Note": null}'):
        with pytest.raises(Refused):
            read_tool_call(http("POST", "/v1/payments", body), catalogue)


LANGUAGES = {
    "ideographic space": "\u6771\u4eac\u3000\u99c5",
    "joiner": "\u0915\u094d\u200d\u0937",
    "non-joiner": "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
    "no-break space": "10\u00a0000\u202f\u20ac",
    "combining marks": "e\u0301\u0323 Z\u0351\u036b",
    "a family": "\U0001f468\u200d\U0001f469\u200d\U0001f467\ufe0f",
    "right to left": "\u200f\u05e9\u05dc\u05d5\u05dd\u200e",
    "a line separator": "a\u2028b",
    "unassigned and private": "\U0001fadf\ue000\ufffd",
}


@pytest.mark.parametrize("text", LANGUAGES.values(), ids=LANGUAGES.keys())
def test_a_value_may_be_in_any_language(text: str) -> None:
    assert read("PUT", f"/v1/payments/p1?q={quote(text)}").parameters["q"] == text
    assert read("PUT", f"/v1/payments/{quote(text)}").parameters["id"] == text


@pytest.mark.parametrize("text", ["\x00", "a\nb", "\t", "\x7f", "\x85", "\x1b[0m"])
def test_a_value_holds_no_control_characters(text: str) -> None:
    assert reason_of("PUT", f"/v1/payments/p1?q={quote(text)}") is Reason.MALFORMED_CALL
    assert reason_of("PUT", f"/v1/payments/{quote(text)}") is Reason.MALFORMED_CALL


@pytest.mark.parametrize("name", ["q\u200d", "\u3000q", "q\u00a0", "\u200eq"])
def test_a_name_that_nobody_sees_is_refused_in_every_language(name: str) -> None:
    assert reason_of("PUT", f"/v1/payments/p1?{quote(name)}=1") is Reason.MALFORMED_CALL


@pytest.mark.parametrize("query", ["dry=1&", "&dry=1", "dry=1&&", "&"])
def test_a_separator_too_many_names_nothing(query: str) -> None:
    assert "" not in read("PUT", f"/v1/payments/p1?{query}").parameters


def fault_of(method: str, target: str, body: bytes = b"", **changes: Any) -> Fault:
    with pytest.raises(Refused) as refused:
        read(method, target, body, **changes)
    assert refused.value.fault is not None
    return refused.value.fault


@pytest.mark.parametrize(
    ("method", "target", "body", "fault"),
    [
        ("POST", "/v1/payments", b'{"amount":"4200"}', ("body", "/amount", "must be a number, and is a string")),
        ("POST", "/v1/payments", b'{"amount":null}', ("body", "/amount", "must be a number, and is null")),
        ("POST", "/v1/payments", b'{"to":[{"name":[1]}]}', ("body", "/to/0/name", "must be a string, and is an array")),
        ("POST", "/v1/payments", b'{"fee":1}', ("body", "/fee", 'names "fee", which is not declared')),
        ("POST", "/v1/payments", b'{"to":[{"iban":1}]}', ("body", "/to/0/iban", '"iban"')),
        ("POST", "/v1/payments", b'{"Amount":1}', ("body", "/Amount", "some readers take it for one that is")),
        ("POST", "/v1/payments", b'"x"', ("body", "", "a string where the declared parameters are members")),
        ("POST", "/v1/payments", b'{"amount":1,}', ("body", "line 1, column 12", "trailing comma")),
        ("POST", "/v1/payments?amount=1", b"", ("query", "amount", "declared in the body")),
        ("GET", "/v1/payments?limit=ten", b"", ("query", "limit", "must be an integer, and is not written in digits")),
        ("GET", "/v1/payments?limit=1.5", b"", ("query", "limit", "must be an integer, and is a number")),
        ("GET", "/v1/payments?page=2", b"", ("query", "page", '"page", which is not declared')),
        ("GET", "/v1/payments?limit=1&limit=2", b"", ("query", "limit", '"limit" twice')),
        ("GET", "/v1/payments?limit=%zz", b"", ("query", "character 7", "percent sign")),
        ("GET", "/v1/payments?q=a&b=%e4", b"", ("query", "character 7", "no UTF-8")),
        ("GET", "/v1/payments?limit=1%00", b"", ("query", "character 8", "U+0000")),
        ("GET", "/v1/payments?a=1;b=2", b"", ("query", "character 4", "semicolon")),
        ("GET", "/v1/payments/%C3%A4%0A", b"", ("path", "character 20", "U+000A")),
        ("GET", "/v1/payments/a%2fb", b"", ("path", "character 14", '"a%2fb"')),
        ("GET", "/v1/payments;a/b", b"", ("path", "character 13", "semicolon")),
        ("GET", "/v1/payments/Latest", b"", ("path", "", "that of an action in other letters")),
        ("GET", "/v1/refunds", b"", ("path", "", 'GET "/v1/refunds" is none of the requests')),
        ("GET", "/v1/payments", b"{}", ("body", "", "A GET has a body")),
        ("PUT", "/v1/payments/p1?_method=DELETE", b"", ("query", "_method", "another method")),
        ("PUT", "/v1/payments/p1", b"[1]", ("body", "", "is an array, and must be a JSON object")),
        ("PUT", "/v1/payments/p1?id=2", b"", ("", "", "name one parameter twice")),
    ],
)  # fmt: skip
def test_a_refusal_says_what_is_wrong_with_the_callers_text(
    method: str, target: str, body: bytes, fault: tuple[str, str, str]
) -> None:
    found = fault_of(method, target, body)
    assert (found.where, found.at) == fault[:2]
    assert fault[2] in found.problem


def test_a_form_is_said_to_be_no_json() -> None:
    headers = {"content-type": ("application/x-www-form-urlencoded",)}
    problem = fault_of("POST", "/v1/payments", b"amount=42", headers=headers).problem
    assert 'judged as JSON, and declared as "application/x-www-form-urlencoded"' in problem
    assert "line 1, column 1" in problem


def test_a_refusal_tells_no_value_but_the_one_that_cannot_be_read() -> None:
    for target, body in (
        ("/v1/payments", b'{"amount":"hunter2","to":[{"name":"hunter2"}]}'),
        ("/v1/payments?limit=hunter2", b""),
        ("/v1/payments?amount=hunter2", b""),
        ("/v1/payments?x=hunter2%zz", b""),
    ):
        fault = fault_of("POST" if body else "GET", target, body)
        assert "hunter2" not in fault.problem + fault.at


@given(
    st.sampled_from(["GET", "POST", "PUT"]),
    st.text("/v1payments?&=%;+.0aA \u200d\u00e4", max_size=30),
    st.binary(max_size=20),
)
def test_every_refusal_of_a_call_says_why(method: str, tail: str, body: bytes) -> None:
    try:
        read(method, "/v1/payments" + tail, body)
    except Refused as refusal:
        assert refusal.fault is not None and refusal.fault.problem


@pytest.mark.parametrize(
    ("bodies", "content_type", "size", "is_slow"),
    [
        ((BodyFormat.FORM,), "application/x-www-form-urlencoded", 2048, True),
        ((BodyFormat.FORM,), "application/x-www-form-urlencoded", 2047, False),
        ((BodyFormat.FORM,), "", 2048, True),
        ((BodyFormat.JSON, BodyFormat.MULTIPART), "multipart/form-data; boundary=B", 2048, True),
        ((BodyFormat.JSON, BodyFormat.MULTIPART), "application/json; charset=utf-8", 1_000_000, False),
        ((BodyFormat.BINARY,), "image/png", 2048, True),
        (JSON_ALONE, "application/x-www-form-urlencoded", 1_000_000, False),
    ],
)
def test_a_long_form_is_read_beside_the_others(
    bodies: tuple[BodyFormat, ...], content_type: str, size: int, is_slow: bool
) -> None:
    action = Action("pay", "POST", ("v1", "payments"), (AMOUNT,), False, bodies, ONE_OPERATION)
    headers = {"content-type": (content_type,)} if content_type else {}
    call = http("POST", "/v1/payments", b"a" * size, headers=headers)
    assert takes_long(call, Catalogue.of((replace(STRIPE, actions=(action,)),))) is is_slow
