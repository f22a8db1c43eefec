"""MCP over streamable HTTP: one JSON-RPC message a request, everything else refused.

Source: Model Context Protocol, revisions 2025-03-26 to 2026-07-28 (transports, tools); JSON-RPC 2.0.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from aegis_authz.core.call import CallKind, Rpc, RpcShape, ToolCall
from aegis_authz.core.catalogue import Tool
from aegis_authz.core.fault import Fault, quoted
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import mcp_header, strict_json
from aegis_authz.encoding.folding import mistakable, shape
from aegis_authz.wire.call_digest import digest_of
from aegis_authz.wire.http.address import query_parameters
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.content_type import judged_type
from aegis_authz.wire.http.parameters import is_left_out, refuse_undeclared, typed
from aegis_authz.wire.mcp.rpc import REPLY, STATUS_ONLY, TOOLS_CALL, rpc_in
from aegis_authz.wire.spellings import spellings

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


def read_mcp_call(http: HttpCall, tool: Tool) -> ToolCall:
    """Turn a request to an MCP endpoint into a tool call.

    tools/call becomes the action named in it, with its arguments as parameters; every other
    message keeps its JSON-RPC method as the action. Raises Refused(MALFORMED_CALL) for a batch, a
    message that is not exactly a request, notification or reply, and another HTTP method;
    Refused(HEADER_MISMATCH) when Mcp-Method or Mcp-Name contradict the body.
    """
    agent_query = _agent_query(http, tool)
    if http.method in ("GET", "DELETE") and not http.body:
        return _session(http, tool, f"http:{http.method.lower()}", {}, STATUS_ONLY, agent_query)
    if http.method != "POST":
        problem = "An MCP endpoint takes POST with one message, and GET and DELETE without a body."
        raise Refused(Reason.MALFORMED_CALL, "an MCP endpoint takes POST, GET and DELETE", Fault("method", "", problem))
    message = strict_json.parse(http.body)
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0":
        raise _malformed("not one JSON-RPC 2.0 message", "/jsonrpc", _not_a_message(message))
    if "method" not in message:
        return _reply(http, tool, message, agent_query)
    rpc = _request_rpc(message)
    params = _object(message, "params", "/params")
    _refuse_unspecified(rpc.method, params)
    _cross_check(http, rpc.method, params)
    if rpc.method == TOOLS_CALL:
        return _tools_call(http, tool, params, rpc, agent_query)
    return _session(http, tool, rpc.method, params, rpc, agent_query)


def _is_disguised(method: str) -> bool:
    """Whether some server takes a method for a known one: in another case, or with other signs between its letters."""
    return method not in _METHODS and _letters(method) in _METHOD_LETTERS


def _letters(method: str) -> str:
    return "".join(character for character in shape(method) if character.isalnum())


_METHOD_LETTERS = frozenset(map(_letters, _METHODS))


def _agent_query(http: HttpCall, tool: Tool) -> Mapping[str, Json]:
    """What the agent adds to the query of the endpoint: servers configure themselves by it.

    Raises Refused(PARAMETER_UNKNOWN) for what the catalogue does not let it add, and what `query_parameters` raises.
    """
    if not http.query or http.query == tool.mcp_query:
        return {}
    query = query_parameters(http.query, frozenset())
    unlisted = min(query.keys() - set(tool.mcp_agent_query), default=None)
    if unlisted is not None:
        problem = f"The query of this MCP endpoint takes no {quoted(unlisted)} from a caller."
        detail = "an MCP endpoint takes no such query from an agent"
        raise Refused(Reason.PARAMETER_UNKNOWN, detail, Fault("query", unlisted, problem))
    return query


def _not_a_message(message: Json) -> str:
    if isinstance(message, list):
        return "A body holds one JSON-RPC message; a batch is not taken."
    return 'The body must be one JSON-RPC message, an object with "jsonrpc": "2.0".'


def _request_rpc(message: Mapping[str, Json]) -> Rpc:
    """The shape of a request or notification. Raises Refused(MALFORMED_CALL) for another message."""
    detail = "not a JSON-RPC request or notification"
    unknown = min(message.keys() - _REQUEST_MEMBERS, default="")
    if unknown:
        raise _malformed(detail, f"/{unknown}", f"A JSON-RPC request has no member {quoted(unknown)}.")
    rpc = rpc_in(message)
    if rpc is None:
        problem = "method must be a text of 1 to 128 characters, and id a text or an integer; a notification has no id."
        raise _malformed(detail, "/id" if isinstance(message["method"], str) else "/method", problem)
    if _is_disguised(rpc.method):
        raise _malformed(detail, "/method", f"To some readers the method {quoted(rpc.method)} is another one.")
    return rpc


def _object(container: Mapping[str, Json], name: str, at: str) -> Mapping[str, Json]:
    """A member that must be an object; null is none. Raises Refused(MALFORMED_CALL)."""
    value = container.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _malformed(f"{name} is not an object", at, f"{name} must be an object.")
    return value


def _malformed(detail: str, at: str, problem: str) -> Refused:
    return Refused(Reason.MALFORMED_CALL, detail, Fault("body", at, problem))


def _reply(http: HttpCall, tool: Tool, message: Mapping[str, Json], agent_query: Mapping[str, Json]) -> ToolCall:
    if not message.keys() <= _REPLY_MEMBERS or ("result" in message) == ("error" in message) or "id" not in message:
        problem = "A message has a method, or an id and either a result or an error, and nothing else."
        raise _malformed("neither a JSON-RPC request nor a reply", "", problem)
    return _session(http, tool, "response", {}, REPLY, agent_query)


def _refuse_unspecified(method: str, params: Mapping[str, Json]) -> None:
    """Members that no revision has where they name what is done, and members that some reader takes for a known one."""
    specified = _PARAMS.get(method)
    unknown = min(params.keys() - specified, default=None) if specified is not None else None
    if specified is not None and unknown is not None:
        problem = f"params of {method} has no member {quoted(unknown)}, but {', '.join(sorted(specified))}."
        detail = f"{method} has no parameters but {', '.join(sorted(specified))}"
        raise _malformed(detail, f"/params/{unknown}", problem)
    meta = _object(params, "_meta", "/params/_meta")
    for names, known, at in ((params, _KNOWN_PARAMS, "/params"), (meta, _KNOWN_META, "/params/_meta")):
        name = mistakable(names, known)
        if name is not None:
            detail = "params or _meta has a member that some reader takes for a known one"
            raise _malformed(detail, f"{at}/{name}", f"Some readers take the member {quoted(name)} for another one.")


def _tools_call(
    http: HttpCall, tool: Tool, params: Mapping[str, Json], rpc: Rpc, agent_query: Mapping[str, Json]
) -> ToolCall:
    if rpc.shape is not RpcShape.CALL:
        raise _malformed("tools/call needs an id", "/id", "tools/call is a request and needs an id.")
    name, arguments = params.get("name"), _object(params, "arguments", "/params/arguments")
    if not isinstance(name, str) or not 0 < len(name) <= 256:
        problem = "name must be a text of 1 to 256 characters, the name of a tool."
        raise _malformed("tools/call needs a name", "/params/name", problem)
    besides = {key: value for key, value in params.items() if key not in ("name", "arguments", "_meta")}
    meta = _object(params, "_meta", "/params/_meta")
    lasting = {key: value for key, value in meta.items() if key not in _FLEETING_META}
    if lasting:
        besides["_meta"] = lasting
    bound = {"name": name, "arguments": arguments, **besides}
    declared, judged = judged_arguments(tool, name, arguments)
    return _tool_call(http, tool, CallKind.MCP_TOOL, name, judged, rpc, bound, agent_query, declared, besides)


def judged_arguments(
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


def _session(
    http: HttpCall, tool: Tool, action: str, params: Mapping[str, Json], rpc: Rpc, agent_query: Mapping[str, Json]
) -> ToolCall:
    if params.get("arguments", ...) is None:
        params = {name: value for name, value in params.items() if name != "arguments"}
    return _tool_call(http, tool, CallKind.MCP_SESSION, action, params, rpc, params, agent_query)


def _tool_call(
    http: HttpCall,
    tool: Tool,
    kind: CallKind,
    action: str,
    parameters: Mapping[str, Json],
    rpc: Rpc,
    bound: Mapping[str, Json],
    agent_query: Mapping[str, Json],
    declared: tuple[str, ...] = (),
    besides: Mapping[str, Json] = MappingProxyType({}),
) -> ToolCall:
    content: dict[str, Json] = {"tool": tool.name, "method": rpc.method, "action": action, "params": dict(bound)}
    if agent_query:
        content["query"] = dict(agent_query)
        besides = {**besides, **{f"?{name}": value for name, value in agent_query.items()}}
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
        batch=0,
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
                problem = f"{header} is not in the one spelling of =?base64?...?=."
                raise Refused(Reason.HEADER_MISMATCH, str(fault), Fault("headers", header, problem)) from None
            if text != value:
                problem = f"{header} must be what the body says: {quoted(value)}."
                detail = f"{header} is not what the body says"
                raise Refused(Reason.HEADER_MISMATCH, detail, Fault("headers", header, problem))
