"""MCP over streamable HTTP: one JSON-RPC message a request, everything else refused.

Source: Model Context Protocol, revisions 2025-03-26 to 2026-07-28 (transports, tools); JSON-RPC 2.0.
"""

from __future__ import annotations

from collections.abc import Mapping

from aegis_authz.core.call import CallKind, Rpc, RpcShape, ToolCall
from aegis_authz.core.catalogue import Tool
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import mcp_header, strict_json
from aegis_authz.wire.call_digest import digest_of
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.content_type import judged_type

TOOLS_CALL = "tools/call"
_REQUEST_MEMBERS = {"jsonrpc", "id", "method", "params"}
_REPLY_MEMBERS = {"jsonrpc", "id", "result", "error"}
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_STATUS_ONLY = Rpc(RpcShape.NOTIFICATION, None, "")


def read_mcp_call(http: HttpCall, tool: Tool) -> ToolCall:
    """Turn a request to an MCP endpoint into a tool call.

    tools/call becomes the action named in it, with its arguments as parameters; every other
    message keeps its JSON-RPC method as the action. Raises Refused(MALFORMED_CALL) for a batch, a
    message that is not exactly a request, notification or reply, and another HTTP method;
    Refused(HEADER_MISMATCH) when Mcp-Method or Mcp-Name contradict the body.
    """
    if http.method in ("GET", "DELETE") and not http.body:
        return _session(http, tool, f"http:{http.method.lower()}", {}, _STATUS_ONLY)
    if http.method != "POST":
        raise Refused(Reason.MALFORMED_CALL, "an MCP endpoint takes POST, GET and DELETE")
    message = strict_json.parse(http.body)
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise Refused(Reason.MALFORMED_CALL, "not one JSON-RPC 2.0 message")
    if "method" not in message:
        return _reply(http, tool, message)
    rpc = _rpc(message)
    if not message.keys() <= _REQUEST_MEMBERS or rpc is None:
        raise Refused(Reason.MALFORMED_CALL, "not a JSON-RPC request or notification")
    params = message.get("params", {})
    if not isinstance(params, dict):
        raise Refused(Reason.MALFORMED_CALL, "params is not an object")
    _cross_check(http, rpc.method, params)
    if rpc.method == TOOLS_CALL:
        return _tools_call(http, tool, params, rpc)
    return _session(http, tool, rpc.method, params, rpc)


def rpc_of(http: HttpCall) -> Rpc:
    """What a refusal on an MCP endpoint must look like, for a request that may not have been parsed.

    Used to answer only, never to decide: what cannot be read is answered by status alone.
    """
    try:
        message = strict_json.parse(http.body) if http.body else None
    except Refused:
        return _STATUS_ONLY
    rpc = _rpc(message) if isinstance(message, dict) else None
    return rpc or _STATUS_ONLY


def _rpc(message: Mapping[str, Json]) -> Rpc | None:
    method, identifier = message.get("method"), message.get("id")
    if not isinstance(method, str) or not 0 < len(method) <= 128:
        return None
    if "id" not in message:
        return Rpc(RpcShape.NOTIFICATION, None, method)
    if isinstance(identifier, bool) or not isinstance(identifier, str | int):
        return None
    return Rpc(RpcShape.CALL if method == TOOLS_CALL else RpcShape.REQUEST, identifier, method)


def _reply(http: HttpCall, tool: Tool, message: Mapping[str, Json]) -> ToolCall:
    if not message.keys() <= _REPLY_MEMBERS or ("result" in message) == ("error" in message) or "id" not in message:
        raise Refused(Reason.MALFORMED_CALL, "neither a JSON-RPC request nor a reply")
    return _session(http, tool, "response", {}, _STATUS_ONLY)


def _tools_call(http: HttpCall, tool: Tool, params: Mapping[str, Json], rpc: Rpc) -> ToolCall:
    name, arguments = params.get("name"), params.get("arguments", {})
    if rpc.shape is not RpcShape.CALL:
        raise Refused(Reason.MALFORMED_CALL, "tools/call needs an id")
    if not isinstance(name, str) or not 0 < len(name) <= 256 or not isinstance(arguments, dict):
        raise Refused(Reason.MALFORMED_CALL, "tools/call needs a name and an object of arguments")
    bound = {key: value for key, value in params.items() if key != "_meta"}
    return _tool_call(http, tool, CallKind.MCP_TOOL, name, arguments, rpc, bound)


def _session(http: HttpCall, tool: Tool, action: str, params: Mapping[str, Json], rpc: Rpc) -> ToolCall:
    return _tool_call(http, tool, CallKind.MCP_SESSION, action, params, rpc, params)


def _tool_call(
    http: HttpCall,
    tool: Tool,
    kind: CallKind,
    action: str,
    parameters: Mapping[str, Json],
    rpc: Rpc,
    bound: Mapping[str, Json],
) -> ToolCall:
    content: dict[str, Json] = {"tool": tool.name, "method": rpc.method, "action": action, "params": dict(bound)}
    if http.query:  # servers configure themselves by it
        content["query"] = http.query
    return ToolCall(
        kind=kind,
        tool=tool.name,
        action=action,
        parameters=parameters,
        declared=(),
        host=tool.host,
        port=tool.port,
        method=http.method,
        path=tool.mcp_path,
        source=http.source,
        rpc=rpc,
        digest=digest_of(content),
        content_type=judged_type(http) if http.body else "",
        scheme=http.scheme,
    )


def _cross_check(http: HttpCall, method: str, params: Mapping[str, Json]) -> None:
    expected = {"mcp-method": method}
    naming = _NAMED_BY.get(method)
    if naming is not None:
        name = params.get(naming)
        expected["mcp-name"] = name if isinstance(name, str) else ""
    for header, wanted in expected.items():
        for seen in http.headers.get(header, ()):
            try:
                text = mcp_header.decode(seen)
            except ValueError as fault:
                raise Refused(Reason.HEADER_MISMATCH, str(fault)) from None
            if text != wanted:
                raise Refused(Reason.HEADER_MISMATCH, f"{header} is not what the body says")
