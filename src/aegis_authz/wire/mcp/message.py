"""MCP over streamable HTTP: one JSON-RPC message a request, everything else refused.

Source: Model Context Protocol, revisions 2025-03-26 to 2026-07-28 (transports, tools); JSON-RPC 2.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import orjson

from aegis_authz.core.call import CallKind, Rpc, RpcShape, ToolCall
from aegis_authz.core.catalogue import Tool
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import mcp_header, strict_json
from aegis_authz.encoding.folding import mistakable
from aegis_authz.wire.call_digest import digest_of
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.content_type import judged_type
from aegis_authz.wire.http.parameters import is_left_out, refuse_undeclared, typed
from aegis_authz.wire.spellings import spellings

TOOLS_CALL = "tools/call"
_REQUEST_MEMBERS = {"jsonrpc", "id", "method", "params"}
_REPLY_MEMBERS = {"jsonrpc", "id", "result", "error"}
_ASKED_FOR = frozenset({"_meta", "inputResponses", "requestState"})
_PARAMS: Mapping[str, frozenset[str]] = {
    "tools/call": _ASKED_FOR | {"name", "arguments", "task"},
    "prompts/get": _ASKED_FOR | {"name", "arguments"},
    "resources/read": _ASKED_FOR | {"uri"},
}
"""The members that these methods have, over all revisions; they name what is done, and take no others."""
_KNOWN_PARAMS = frozenset().union(*_PARAMS.values()) | {
    "capabilities", "clientInfo", "cursor", "level", "protocolVersion", "ref", "requestId", "progressToken", "taskId",
}  # fmt: skip
_METHODS = frozenset(_PARAMS) | {
    "initialize", "ping", "completion/complete", "logging/setLevel", "prompts/list", "resources/list",
    "resources/subscribe", "resources/templates/list", "resources/unsubscribe", "server/discover",
    "subscriptions/listen", "tasks/cancel", "tasks/get", "tasks/list", "tasks/result", "tools/list",
}  # fmt: skip
"""What some server might take another method for."""
_KNOWN_META = frozenset(
    {
        "progressToken",
        "io.modelcontextprotocol/clientCapabilities",
        "io.modelcontextprotocol/clientInfo",
        "io.modelcontextprotocol/logLevel",
        "io.modelcontextprotocol/protocolVersion",
        "io.modelcontextprotocol/related-task",
    }
)
_FLEETING_META = frozenset(
    {
        "baggage",
        "progressToken",
        "traceparent",
        "tracestate",
        "io.modelcontextprotocol/clientCapabilities",
        "io.modelcontextprotocol/clientInfo",
        "io.modelcontextprotocol/logLevel",
        "io.modelcontextprotocol/protocolVersion",
    }
)
"""Members of `_meta` that say how a message travels; any other may change what the tool does: it is bound and shown."""
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
MOST_READ_TO_ANSWER = 16 * 1024
"""Bytes of a refused message that are read for its id: the densest of this size costs half a millisecond."""
_STATUS_ONLY = Rpc(RpcShape.NOTIFICATION, None, "")


def read_mcp_call(http: HttpCall, tool: Tool) -> ToolCall:
    """Turn a request to an MCP endpoint into a tool call.

    tools/call becomes the action named in it, with its arguments as parameters; every other
    message keeps its JSON-RPC method as the action. Raises Refused(MALFORMED_CALL) for a batch, a
    message that is not exactly a request, notification or reply, and another HTTP method;
    Refused(HEADER_MISMATCH) when Mcp-Method or Mcp-Name contradict the body.
    """
    if http.query:
        # servers configure themselves by it: that is for the catalogue to say, not for an agent
        raise Refused(Reason.PARAMETER_UNKNOWN, "an MCP endpoint takes no query from an agent")
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
    if not message.keys() <= _REQUEST_MEMBERS or rpc is None or mistakable((rpc.method,), _METHODS) is not None:
        raise Refused(Reason.MALFORMED_CALL, "not a JSON-RPC request or notification")
    params = message.get("params", {})
    if not isinstance(params, dict):
        raise Refused(Reason.MALFORMED_CALL, "params is not an object")
    _refuse_unspecified(rpc.method, params)
    _cross_check(http, rpc.method, params)
    if rpc.method == TOOLS_CALL:
        return _tools_call(http, tool, params, rpc)
    return _session(http, tool, rpc.method, params, rpc)


def rpc_of(http: HttpCall) -> Rpc:
    """What a refusal on an MCP endpoint must look like, for a request that may not have been parsed.

    Used to answer only, never to decide: what cannot be read, or is longer than what anybody may have read before it
    is known who asks, is answered by status alone.
    """
    if not 0 < len(http.body) <= MOST_READ_TO_ANSWER:
        return _STATUS_ONLY
    try:
        message = orjson.loads(http.body)  # a member named twice harms nobody here
    except orjson.JSONDecodeError:
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


def _refuse_unspecified(method: str, params: Mapping[str, Json]) -> None:
    """Members that no revision has where they name what is done, and members that some reader takes for a known one."""
    specified = _PARAMS.get(method)
    if specified is not None and not params.keys() <= specified:
        raise Refused(Reason.MALFORMED_CALL, f"{method} has no parameters but {', '.join(sorted(specified))}")
    meta = params.get("_meta", {})
    if not isinstance(meta, dict):
        raise Refused(Reason.MALFORMED_CALL, "_meta is not an object")
    if mistakable(params, _KNOWN_PARAMS) is not None or mistakable(meta, _KNOWN_META) is not None:
        raise Refused(Reason.MALFORMED_CALL, "params or _meta has a member that some reader takes for a known one")


def _tools_call(http: HttpCall, tool: Tool, params: Mapping[str, Json], rpc: Rpc) -> ToolCall:
    name, arguments = params.get("name"), params.get("arguments", {})
    if rpc.shape is not RpcShape.CALL:
        raise Refused(Reason.MALFORMED_CALL, "tools/call needs an id")
    if not isinstance(name, str) or not 0 < len(name) <= 256 or not isinstance(arguments, dict):
        raise Refused(Reason.MALFORMED_CALL, "tools/call needs a name and an object of arguments")
    besides = {key: value for key, value in params.items() if key not in ("name", "arguments", "_meta")}
    meta = params.get("_meta", {})
    lasting = {key: value for key, value in meta.items() if key not in _FLEETING_META} if isinstance(meta, dict) else {}
    if lasting:
        besides["_meta"] = lasting
    bound = {"name": name, "arguments": arguments, **besides}
    declared, judged = _judged_arguments(tool, name, arguments)
    return _tool_call(http, tool, CallKind.MCP_TOOL, name, judged, rpc, bound, declared, besides)


def _judged_arguments(
    tool: Tool, name: str, arguments: Mapping[str, Json]
) -> tuple[tuple[str, ...], Mapping[str, Json]]:
    """The names a server's tool declares, () where none are, and the arguments that are there: null is no optional one.

    Raises Refused(ACTION_UNKNOWN) for a tool that a list of the server's tools does not have, Refused(MALFORMED_CALL),
    Refused(PARAMETER_UNKNOWN) and Refused(PARAMETER_TYPE) as for plain HTTP.
    """
    if tool.mcp_tools is None:
        return (), arguments
    mcp_tool = tool.mcp_tools.get(name)
    if mcp_tool is None:
        raise Refused(Reason.ACTION_UNKNOWN, f"{tool.name} has no tool {name[:60]!r} in the catalogue")
    declared = tuple(parameter.name for parameter in mcp_tool.parameters)
    if declared:
        refuse_undeclared(arguments, declared, mcp_tool.others, "arguments", "/")
    left_out = set()
    for parameter in mcp_tool.parameters:
        if parameter.name in arguments:
            if is_left_out(parameter, arguments[parameter.name]):
                left_out.add(parameter.name)
            else:
                typed(parameter, arguments[parameter.name])
    return declared, {key: value for key, value in arguments.items() if key not in left_out} if left_out else arguments


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
    declared: tuple[str, ...] = (),
    besides: Mapping[str, Json] = MappingProxyType({}),
) -> ToolCall:
    content: dict[str, Json] = {"tool": tool.name, "method": rpc.method, "action": action, "params": dict(bound)}
    return ToolCall(
        kind=kind,
        tool=tool.name,
        action=action,
        parameters=parameters,
        declared=declared,
        host=tool.host,
        port=tool.port,
        method=http.method,
        path=tool.mcp_path,
        source=http.source,
        rpc=rpc,
        digest=digest_of(content),
        content_type=judged_type(http) if http.body else "",
        scheme=http.scheme,
        besides=besides,
        spellings=spellings(parameters),
    )


def _cross_check(http: HttpCall, method: str, params: Mapping[str, Json]) -> None:
    expected = {"mcp-method": method}
    naming = _NAMED_BY.get(method)
    if naming is not None:
        name = params.get(naming)
        expected["mcp-name"] = name if isinstance(name, str) else ""
    for header, value in expected.items():
        for raw in http.headers.get(header, ()):
            try:
                text = mcp_header.decode(raw)
            except ValueError as fault:
                raise Refused(Reason.HEADER_MISMATCH, str(fault)) from None
            if text != value:
                raise Refused(Reason.HEADER_MISMATCH, f"{header} is not what the body says")
