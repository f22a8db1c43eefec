from __future__ import annotations

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from aegis_authz.core.call import CallKind, RpcShape, ToolCall
from aegis_authz.core.catalogue import Catalogue, McpTool, Parameter, ParameterSource, ParameterType, Tool
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.tool_call import read_tool_call
from aegis_authz.wire.mcp.endpoint import endpoint_target

GITHUB = Tool(
    "github", "github.mcp.example", None, "http://127.0.0.1:9004/mcp", (), "/mcp", "", None, False, False, NO_INTERFACE
)
CATALOGUE = Catalogue.of((GITHUB,))


def http(message: Any, method: str = "POST", path: str = "/mcp", **headers: str) -> HttpCall:
    body = b"" if message is None else message if isinstance(message, bytes) else json.dumps(message).encode()
    return HttpCall(
        request_id="r",
        method=method,
        scheme="http",
        host="github.mcp.example",
        port=None,
        path=path,
        query="",
        headers={name.replace("_", "-"): (value,) for name, value in headers.items()},
        body=body,
        source="",
        tool_hint="",
        route="",
        listener="",
        principal="",
        over_tls=False,
    )


def read(message: Any, **rest: str) -> ToolCall:
    return read_tool_call(http(message, **rest), CATALOGUE)


def call_message(**changes: Any) -> dict[str, Any]:
    params = {"name": "list_issues", "arguments": {"repo": "aegis"}}
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params} | changes


def test_tools_call_is_the_action_it_names() -> None:
    call = read(call_message(), mcp_method="tools/call", mcp_name="list_issues")
    assert (call.kind, call.tool, call.action) == (CallKind.MCP_TOOL, "github", "list_issues")
    assert call.parameters == {"repo": "aegis"}
    assert (call.rpc.shape, call.rpc.id) == (RpcShape.CALL, 7)


def test_other_methods_keep_their_name() -> None:
    call = read({"jsonrpc": "2.0", "id": "a", "method": "tools/list"})
    assert (call.kind, call.action, call.rpc.shape) == (CallKind.MCP_SESSION, "tools/list", RpcShape.REQUEST)
    notified = read({"jsonrpc": "2.0", "method": "notifications/initialized"})
    assert (notified.action, notified.rpc.shape) == ("notifications/initialized", RpcShape.NOTIFICATION)


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_streams_and_session_ends_are_actions_of_their_own(method: str) -> None:
    assert read(None, method=method).action == f"http:{method.lower()}"


def test_a_reply_to_the_server_is_a_response() -> None:
    assert read({"jsonrpc": "2.0", "id": 1, "result": {}}).action == "response"


@pytest.mark.parametrize(
    "message",
    [
        [call_message()],
        call_message(jsonrpc="1.0"),
        call_message(id=None),
        call_message(id=True),
        call_message(id=1.5),
        call_message(extra=1),
        call_message(params=["list_issues"]),
        call_message(params={"arguments": {}}),
        call_message(params={"name": ["list_issues"], "arguments": {}}),
        call_message(params={"name": "list_issues", "arguments": []}),
        {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "x"}},
        {"jsonrpc": "2.0", "id": 1, "result": {}, "error": {}},
        {"jsonrpc": "2.0", "result": {}},
        {"jsonrpc": "2.0", "id": 1},
        {"jsonrpc": "2.0", "id": 1, "method": "Tools/Call", "params": {"name": "x"}},
        {"jsonrpc": "2.0", "id": 1, "method": "tools/call ", "params": {"name": "x"}},
        {"jsonrpc": "2.0", "id": 1, "method": "tools/c\u200ball", "params": {"name": "x"}},
        {"jsonrpc": "2.0", "id": 1, "method": "tool\uff53/call", "params": {"name": "x"}},
        {"jsonrpc": "2.0", "id": 1, "method": "RESOURCES/READ", "params": {"uri": "a:b"}},
        {"jsonrpc": "2.0", "id": 1, "method": "tools//call", "params": {"name": "x"}},
        {"jsonrpc": "2.0", "id": 1, "method": "/tools/call", "params": {"name": "x"}},
        {"jsonrpc": "2.0", "id": 1, "method": "tools.call", "params": {"name": "x"}},
        b"",
        b"not json",
    ],
    ids=str,
)
def test_what_is_not_exactly_one_message_is_refused(message: Any) -> None:
    with pytest.raises(Refused) as refused:
        read(message)
    assert refused.value.reason is Reason.MALFORMED_CALL


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {"name": "pay", "Arguments": {"amount": 50000}}),
        ("tools/call", {"name": "pay", "arguments ": {"amount": 50000}}),
        ("tools/call", {"name": "pay", "argu\u200bments": {"amount": 50000}}),
        ("tools/call", {"name": "pay", "\uff41rguments": {"amount": 50000}}),
        ("tools/call", {"name": "pay", "arguments[]": {"amount": 50000}}),
        ("tools/call", {"name": "pay", "args": {"amount": 50000}}),
        ("tools/call", {"name": "pay", "uri": "file:///etc/passwd"}),
        ("resources/read", {"uri": "a:b", "URI": "file:///etc/passwd"}),
        ("resources/read", {"uri": "a:b", "name": "x"}),
        ("prompts/get", {"name": "p", "Arguments": {}}),
        ("tools/list", {"Cursor": "x"}),
        ("resources/subscribe", {"URI": "a:b"}),
        ("tools/call", {"name": "pay", "_meta": {"ProgressToken": 1}}),
        ("tools/call", {"name": "pay", "_meta": {"io.modelcontextprotocol/ProtocolVersion": "2026-07-28"}}),
        ("tools/call", {"name": "pay", "_meta": []}),
        ("tools/call", {"name": "pay", "_Meta": {}}),
    ],
    ids=str,
)
def test_members_that_some_server_reads_and_nobody_judged_are_refused(method: str, params: dict[str, Any]) -> None:
    with pytest.raises(Refused) as refused:
        read({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    assert refused.value.reason in (Reason.MALFORMED_CALL, Reason.DUPLICATE_KEY)


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("tools/call", {"name": "pay", "arguments": {}, "_meta": {"progressToken": 1, "vendor.example/x": {}}}),
        ("tools/call", {"name": "pay", "task": {"ttl": 60000}}),
        ("tools/call", {"name": "pay", "inputResponses": {"a": {}}, "requestState": "s"}),
        ("resources/read", {"uri": "a:b", "_meta": {}}),
        ("prompts/get", {"name": "p", "arguments": {"x": "y"}}),
        ("completion/complete", {"ref": {"type": "ref/prompt", "name": "p"}, "argument": {"name": "a", "value": "b"}}),
        (
            "initialize",
            {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}},
        ),
    ],
    ids=str,
)
def test_members_of_the_specification_pass(method: str, params: dict[str, Any]) -> None:
    assert read({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).rpc.method == method


LISTED = Tool(
    "bank",
    "bank.mcp.example",
    None,
    "http://127.0.0.1:9005/mcp",
    (),
    "/mcp",
    "",
    {
        "pay": McpTool(
            (Parameter("amount", ParameterSource.BODY, "/amount", ParameterType.NUMBER, False, None),), False
        ),
        "note": McpTool(
            (Parameter("text", ParameterSource.BODY, "/text", ParameterType.STRING, False, None),), others=True
        ),
        "find": McpTool((Parameter("label", ParameterSource.BODY, "/label", ParameterType.STRING, True, None),), False),
        "ping": McpTool((), False),
    },
    False,
    False,
    NO_INTERFACE,
)


def listed(name: str, arguments: dict[str, Any]) -> ToolCall:
    message = call_message(params={"name": name, "arguments": arguments})
    return read_tool_call(replace(http(message), host="bank.mcp.example"), Catalogue.of((LISTED,)))


def test_null_is_no_optional_argument_and_is_bound_all_the_same() -> None:
    without, null = listed("find", {}), listed("find", {"label": None})
    assert without.parameters == null.parameters == {}
    assert without.digest != null.digest
    assert listed("find", {"label": "bug"}).parameters == {"label": "bug"}
    with pytest.raises(Refused):
        listed("find", {"label": 5})


@pytest.mark.parametrize(
    ("name", "arguments", "reason"),
    [
        ("pay", {"amount": "5"}, Reason.PARAMETER_TYPE),
        ("pay", {"amount": None}, Reason.PARAMETER_TYPE),
        ("pay", {"amount": 5, "payee": "eve"}, Reason.PARAMETER_UNKNOWN),
        ("pay", {"amount": 5, "amount ": 50000}, Reason.DUPLICATE_KEY),
        ("pay", {"amount ": 50000}, Reason.MALFORMED_CALL),
        ("note", {"Text": "x"}, Reason.MALFORMED_CALL),
        ("Pay", {"amount": 5}, Reason.ACTION_UNKNOWN),
        ("drop", {}, Reason.ACTION_UNKNOWN),
    ],
)
def test_a_servers_tool_that_is_listed_takes_what_is_listed(
    name: str, arguments: dict[str, Any], reason: Reason
) -> None:
    with pytest.raises(Refused) as refused:
        listed(name, arguments)
    assert refused.value.reason is reason


def test_listed_arguments_are_declared_and_others_pass_where_the_tool_says_so() -> None:
    assert listed("pay", {"amount": 5}).declared == ("amount",)
    assert listed("note", {"text": "x", "colour": "red"}).parameters == {"text": "x", "colour": "red"}
    assert listed("ping", {"anything": 1}).declared == ()


def test_a_doubled_name_is_refused() -> None:
    body = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"list_issues","name":"delete_repository"}}'
    with pytest.raises(Refused) as refused:
        read(body)
    assert refused.value.reason is Reason.DUPLICATE_KEY


@pytest.mark.parametrize(
    "headers", [{"mcp_method": "tools/list"}, {"mcp_name": "delete_repository"}, {"mcp_name": "=?base64?!!?="}], ids=str
)
def test_headers_that_contradict_the_body_are_refused(headers: dict[str, str]) -> None:
    with pytest.raises(Refused) as refused:
        read(call_message(), **headers)
    assert refused.value.reason is Reason.HEADER_MISMATCH


def test_an_encoded_name_header_is_understood() -> None:
    message = call_message(params={"name": "größe", "arguments": {}})
    encoded = base64.b64encode("größe".encode()).decode()
    assert read(message, mcp_name=f"=?base64?{encoded}?=").action == "größe"


def test_the_digest_binds_arguments_but_not_the_id() -> None:
    digest = read(call_message()).digest
    assert read(call_message(id=8)).digest == digest
    assert read(call_message(params={"name": "list_issues", "arguments": {"repo": "b"}})).digest != digest


@pytest.mark.parametrize("method", ["POST", "GET", "DELETE"])
def test_a_query_by_which_a_server_may_configure_itself_is_refused(method: str) -> None:
    plain = http(call_message() if method == "POST" else None, method=method)
    with pytest.raises(Refused) as refused:
        read_tool_call(replace(plain, query="profile=admin"), CATALOGUE)
    assert refused.value.reason is Reason.PARAMETER_UNKNOWN


def test_members_of_meta_that_may_change_what_is_done_are_bound_and_shown() -> None:
    def call(**meta: Any) -> ToolCall:
        return read(call_message(params={"name": "list_issues", "arguments": {}, "_meta": meta}))

    plain = call()
    for fleeting in ({"progressToken": 7}, {"traceparent": "00-1-2-01"}, {"io.modelcontextprotocol/logLevel": "info"}):
        assert call(**fleeting).digest == plain.digest
    dry = call(**{"vendor.example/dryRun": True})
    assert dry.digest != plain.digest
    assert (plain.besides, dry.besides) == ({}, {"_meta": {"vendor.example/dryRun": True}})


def test_another_path_of_the_server_is_no_action() -> None:
    with pytest.raises(Refused) as refused:
        read(call_message(), path="/admin")
    assert refused.value.reason is Reason.ACTION_UNKNOWN


def test_null_is_absent_where_params_or_arguments_stand() -> None:
    absent = read({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": "list_issues"}})
    null = read(call_message(params={"name": "list_issues", "arguments": None, "_meta": None}))
    assert (null.parameters, null.digest, null.besides) == ({}, absent.digest, {})
    listed = {"jsonrpc": "2.0", "id": 7, "method": "tools/list"}
    assert read({**listed, "params": None}).digest == read(listed).digest
    prompt = {"jsonrpc": "2.0", "id": 7, "method": "prompts/get"}
    assert read({**prompt, "params": {"name": "p", "arguments": None}}).parameters == {"name": "p"}


@pytest.mark.parametrize(
    ("message", "at", "words"),
    [
        ([call_message()], "/jsonrpc", "a batch is not taken"),
        (call_message(jsonrpc="1.0"), "/jsonrpc", 'an object with "jsonrpc": "2.0"'),
        (call_message(extra=1), "/extra", 'has no member "extra"'),
        (call_message(id=True), "/id", "id a text or an integer"),
        (call_message(id=None), "/id", "id a text or an integer"),
        (call_message(method=""), "/id", "1 to 128 characters"),
        (call_message(method=7), "/method", "method must be a text"),
        (call_message(method="Tools/Call"), "/method", "is another one"),
        (call_message(params=[1]), "/params", "params must be an object"),
        (call_message(params={"name": "x", "arguments": "y"}), "/params/arguments", "arguments must be an object"),
        (call_message(params={"arguments": {}}), "/params/name", "name must be a text"),
        (
            call_message(params={"name": "x", "Arguments": {}}),
            "/params/Arguments",
            "params of tools/call has no member",
        ),
        (call_message(params={"name": "x", "_meta": 1}), "/params/_meta", "_meta must be an object"),
        (
            call_message(params={"name": "x", "_meta": {"ProgressToken": 1}}),
            "/params/_meta/ProgressToken",
            "for another one",
        ),
        ({"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "x"}}, "/id", "needs an id"),
        ({"jsonrpc": "2.0", "id": 1, "result": 1, "error": 1}, "", "either a result or an error"),
    ],
)
def test_what_is_wrong_with_a_message_is_said_to_its_sender(message: Any, at: str, words: str) -> None:
    with pytest.raises(Refused) as refused:
        read(message)
    fault = refused.value.fault
    assert refused.value.reason is Reason.MALFORMED_CALL
    assert fault is not None
    assert (fault.where, fault.at) == ("body", at)
    assert words in fault.problem


def test_headers_that_contradict_are_named() -> None:
    with pytest.raises(Refused) as refused:
        read(call_message(), mcp_name="other")
    fault = refused.value.fault
    assert fault is not None
    assert (fault.where, fault.at, '"list_issues"' in fault.problem) == ("headers", "mcp-name", True)


HUB = Tool(
    "hub",
    "github.mcp.example",
    None,
    "http://h",
    (),
    "/mcp/?set=a%20b&x=1{&branch,project}",
    "",
    None,
    False,
    False,
    NO_INTERFACE,
)
HUBS = Catalogue.of((HUB,))
ROOT = Catalogue.of((replace(HUB, mcp_endpoint="/"),))


@pytest.mark.parametrize(
    ("path", "query", "target"),
    [
        ("/mcp", "", "/mcp/?set=a%20b&x=1"),
        ("/mcp/", "", "/mcp/?set=a%20b&x=1"),
        ("/mcp/", "set=a%20b&x=1", None),
        ("/mcp", "project=p%2F1", "/mcp/?set=a%20b&x=1&project=p%2F1"),
    ],
)
def test_the_server_gets_the_path_and_query_of_the_catalogue(path: str, query: str, target: str | None) -> None:
    request = replace(http(call_message(), path=path), query=query)
    assert read_tool_call(request, HUBS).tool == "hub"
    assert endpoint_target(request, HUBS, "hub") == target


@pytest.mark.parametrize("path", ["/hub/mcp", "/hub/mcp/"])
def test_a_reverse_route_keeps_the_name_that_envoy_takes_off(path: str) -> None:
    request = replace(http(call_message(), path=path), tool_hint="hub")
    assert endpoint_target(request, HUBS, "hub") == "/hub/mcp/?set=a%20b&x=1"


@pytest.mark.parametrize("path", ["/hub", "/hub/"])
def test_an_endpoint_at_the_root_is_reached_by_the_name_alone(path: str) -> None:
    request = replace(http(call_message(), path=path), tool_hint="hub")
    assert read_tool_call(request, ROOT).kind is CallKind.MCP_TOOL
    assert endpoint_target(request, ROOT, "hub") is None


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("set=b", Reason.PARAMETER_UNKNOWN),
        ("Project=1", Reason.PARAMETER_UNKNOWN),
        ("project=1&x=2", Reason.PARAMETER_UNKNOWN),
        ("project=1&project=2", Reason.DUPLICATE_KEY),
        ("project=1;x=2", Reason.MALFORMED_CALL),
        ("project=%00", Reason.MALFORMED_CALL),
        ("=1", Reason.PARAMETER_UNKNOWN),
    ],
)
def test_an_agent_adds_listed_parameters_to_the_query_and_no_others(query: str, reason: Reason) -> None:
    with pytest.raises(Refused) as refused:
        read_tool_call(replace(http(call_message(), path="/mcp"), query=query), HUBS)
    assert refused.value.reason is reason


def test_what_an_agent_adds_to_the_query_is_bound_and_shown() -> None:
    plain = http(call_message(), path="/mcp")
    one, two = (read_tool_call(replace(plain, query=f"project={name}"), HUBS) for name in "ab")
    assert len({one.digest, two.digest, read_tool_call(plain, HUBS).digest}) == 3
    assert one.besides == {"?project": "a"}
