"""Plain HTTP by the tool catalogue: which action of which tool a request is, and with what parameters."""

from __future__ import annotations

from aegis_authz.core.call import NO_RPC, CallKind, ToolCall
from aegis_authz.core.catalogue import Action, Catalogue, Tool
from aegis_authz.core.fault import Fault, quoted
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Digest
from aegis_authz.encoding import strict_json
from aegis_authz.wire.call_digest import digest_of
from aegis_authz.wire.http.address import is_disguised, path_segments, query_parameters
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.content_type import is_json, judged_type, media_type
from aegis_authz.wire.http.parameters import extract, unlisted
from aegis_authz.wire.mcp import message as mcp


def read_tool_call(http: HttpCall, catalogue: Catalogue) -> ToolCall:
    """Turn a request into the call of a tool.

    Returns a call of kind UNCLAIMED when no entry of the catalogue claims the address. Raises
    Refused with ACTION_UNKNOWN when a tool claims the address and none of its actions the request,
    and with MALFORMED_CALL, DUPLICATE_KEY, PARAMETER_TYPE or HEADER_MISMATCH when the request cannot be
    judged without doubt.
    """
    tools, path = claimants(http, catalogue)
    if not tools:
        return _unclaimed(http)
    for tool in tools:
        if tool.is_mcp and path == tool.mcp_path:
            return mcp.read_mcp_call(http, tool)
    segments = path_segments(path)
    candidates = [
        (tuple(map(_is_variable, action.template)), tool, action, variables)
        for tool in tools
        for action in tool.actions
        if action.method == http.method and (variables := _match(action.template, segments)) is not None
    ]
    if not candidates:
        problem = f"{http.method} {quoted(path)} is none of the requests that are known at this address."
        detail = f"no action of {tools[0].name} matches {http.method} {path}"[:200]
        raise Refused(Reason.ACTION_UNKNOWN, detail, Fault("path", "", problem))
    _, tool, action, variables = min(candidates, key=lambda candidate: candidate[0])
    if variables and any(
        is_disguised(segments, rival.template)
        for tool_ in tools
        for rival in tool_.actions
        if rival is not action and rival.method == action.method
    ):
        problem = f"To some readers the path {quoted(path)} is another one: that of an action in other letters."
        detail = "to some readers the path is that of another action"
        raise Refused(Reason.MALFORMED_CALL, detail, Fault("path", "", problem))
    return _call(http, path, tool, action, variables)


def claimants(http: HttpCall, catalogue: Catalogue) -> tuple[tuple[Tool, ...], str]:
    """The tools that may answer a request, and the path as they will see it.

    A reverse route's first path segment is the tool's name; Envoy takes it off before the tool sees it.
    """
    if not http.tool_hint:
        return catalogue.by_address.get((http.host, http.port), ()), http.path
    tool = catalogue.by_name.get(http.tool_hint)
    prefix = f"/{http.tool_hint}"
    if tool is None or not (http.path == prefix or http.path.startswith(prefix + "/")):
        return (), http.path
    return (tool,), http.path[len(prefix) :] or "/"


def _call(http: HttpCall, path: str, tool: Tool, action: Action, variables: dict[str, str]) -> ToolCall:
    body: Json = _body(http) if http.body else None
    content_type = judged_type(http) if http.body else ""
    query = query_parameters(http.query)
    return ToolCall(
        kind=CallKind.ACTION,
        tool=tool.name,
        action=action.name,
        parameters=extract(action, body, bool(http.body), variables, query),
        declared=tuple(parameter.name for parameter in action.parameters),
        host=tool.host,
        port=tool.port,
        method=http.method,
        path=path,
        source=http.source,
        rpc=NO_RPC,
        digest=digest_of(
            {
                "tool": tool.name,
                "action": action.name,
                "host": tool.host,
                "port": tool.port,
                "method": http.method,
                "path": path,
                "query": dict(query),
                "body": body,
                "has_body": bool(http.body),
            }
        ),
        content_type=content_type,
        scheme=http.scheme,
        besides=unlisted(action, body, query),
    )


def _body(http: HttpCall) -> Json:
    try:
        return strict_json.parse(http.body)
    except Refused as refusal:
        declared = media_type(http)
        if refusal.fault is None or declared == "" or is_json(declared):
            raise
        problem = f"The body is judged as JSON, and declared as {quoted(declared)}. {refusal.fault.problem}"
        raise Refused(refusal.reason, refusal.detail, Fault("body", refusal.fault.at, problem)) from None


def _unclaimed(http: HttpCall) -> ToolCall:
    return ToolCall(
        kind=CallKind.UNCLAIMED,
        tool="",
        action="",
        parameters={},
        declared=(),
        host=http.host,
        port=http.port,
        method=http.method,
        path=http.path,
        source=http.source,
        rpc=NO_RPC,
        digest=Digest(""),
        content_type="",
        scheme=http.scheme,
        besides={},
    )


def _is_variable(segment: str) -> bool:
    return segment.startswith("{")


def _match(template: tuple[str, ...], segments: list[str]) -> dict[str, str] | None:
    if len(template) != len(segments):
        return None
    variables: dict[str, str] = {}
    for pattern, segment in zip(template, segments, strict=True):
        if _is_variable(pattern):
            if not segment:
                return None
            variables[pattern[1:-1]] = segment
        elif pattern != segment:
            return None
    return variables
