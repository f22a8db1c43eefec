"""Plain HTTP by the tool catalogue: which action of which tool a request is, and with what parameters."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import unquote

from aegis_authz.core.call import NO_RPC, CallKind, ToolCall
from aegis_authz.core.catalogue import CONNECT_ACTION, JSON_ALONE, LONG_OPERATION, Action, Catalogue, Tool, Way
from aegis_authz.core.fault import Fault, quoted
from aegis_authz.core.json_value import Json
from aegis_authz.core.path_template import PathTemplate, Rank, Reading
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Digest
from aegis_authz.wire.bodies.body import Batch, Body
from aegis_authz.wire.bodies.reader import holds_operation, read_body, read_operation
from aegis_authz.wire.call_digest import digest_of
from aegis_authz.wire.http.address import is_disguised, path_segments, query_parameters
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.content_type import is_json, media_type
from aegis_authz.wire.http.declared_headers import header_texts
from aegis_authz.wire.http.parameters import extract, unlisted
from aegis_authz.wire.http.streams import STREAMED
from aegis_authz.wire.http.upgrade import UPGRADED, is_upgrade, refuse_upgrade
from aegis_authz.wire.mcp import message as mcp
from aegis_authz.wire.spellings import spellings

_LONG_FORM = 2048  # bytes, in which a hundred nested names have room: 0.3 ms; a thousand fields take 3 ms


def read_tool_call(http: HttpCall, catalogue: Catalogue) -> ToolCall:
    """Turn a request into the call of a tool.

    Returns a call of kind UNCLAIMED when no entry of the catalogue claims the address. Raises
    Refused with ACTION_UNKNOWN when a tool claims the address and none of its actions the request,
    and with MALFORMED_CALL, DUPLICATE_KEY, PARAMETER_TYPE or HEADER_MISMATCH when the request cannot be
    judged without doubt.
    """
    tools, path = claimants(http, catalogue)
    if http.method == "CONNECT":
        tools = tuple(tool for tool in tools if tool.is_opaque)
    if not tools:
        return _unclaimed(http)
    if tools[0].is_opaque:
        return _connection(http, tools[0])
    may_upgrade = any(tool.websocket for tool in tools)  # else Envoy refuses it before anything is asked
    for tool in tools:
        if path in tool.mcp_paths:
            if may_upgrade:
                refuse_upgrade(http)
            return mcp.read_mcp_call(http, tool)
    segments = path_segments(path)
    best = _best(tools, catalogue, http.method, segments)
    if best is None and http.method == "HEAD":
        best = _best(tools, catalogue, "GET", segments)
    if best is None:
        problem = f"{http.method} {quoted(path)} is none of the requests that are known at this address."
        detail = f"no action of {tools[0].name} matches the path, called by {http.method[:40]}"
        raise Refused(Reason.ACTION_UNKNOWN, detail, Fault("path", "", problem))
    tool, way, reading = best
    _refuse_doubt(path, way.template, reading)
    if reading.variables and is_disguised(segments, _rivals(tools, catalogue, way)):
        problem = f"To some readers the path {quoted(path)} is another one: that of an action in other letters."
        detail = "to some readers the path is that of another action"
        raise Refused(Reason.MALFORMED_CALL, detail, Fault("path", "", problem))
    beyond = UPGRADED if may_upgrade and is_upgrade(http, tool) else {}
    if tool.interface.streams(way.action.name):
        beyond = {**beyond, **STREAMED}
    return _call(http, path, tool, way.action, reading.variables, beyond)


def _best(
    tools: tuple[Tool, ...], catalogue: Catalogue, method: str, segments: list[str]
) -> tuple[Tool, Way, Reading] | None:
    """The action of that method whose template comes first among those that match; None when none does."""
    first: tuple[Tool, Way, Reading] | None = None
    for tool in tools:
        for way in catalogue.ways.get((tool.name, method), ()):
            reading = way.template.match(segments)
            if reading is not None:
                if first is None or way.template.ranks < first[1].template.ranks:
                    first = (tool, way, reading)
                break
    return first


def _rivals(tools: tuple[Tool, ...], catalogue: Catalogue, way: Way) -> Iterator[PathTemplate]:
    for tool in tools:
        for rival in catalogue.ways.get((tool.name, way.action.method), ()):
            if rival is not way:
                yield rival.template


def _refuse_doubt(path: str, template: PathTemplate, reading: Reading) -> None:
    if Rank.MIXED in template.ranks:
        # x%3Acancel is the name x:cancel to who splits before it decodes, and the verb cancel of x to who does after
        plain = template.match(path[1:].split("/"))
        if plain is None or {name: unquote(value) for name, value in plain.variables.items()} != reading.variables:
            problem = f"In the path {quoted(path)} a text between variables is written in escapes."
            detail = "a text between variables is written in escapes"
            raise Refused(Reason.MALFORMED_CALL, detail, Fault("path", "", problem))
    if not reading.is_sure:
        problem = f"The variables in the path {quoted(path)} can be read in several ways."
        raise Refused(Reason.MALFORMED_CALL, "the path can be split in several ways", Fault("path", "", problem))
    climbing = next((name for name, value in reading.variables.items() if value in (".", "..")), None)
    if climbing is not None:
        problem = f"The variable {quoted(climbing)} of the path {quoted(path)} climbs."
        raise Refused(Reason.MALFORMED_CALL, "a variable of the path climbs", Fault("path", climbing, problem))


def claimants(http: HttpCall, catalogue: Catalogue) -> tuple[tuple[Tool, ...], str]:
    """The tools that may answer a request, and the path as they will see it.

    A reverse route's first path segment is the tool's name; Envoy takes it off before the tool sees it.
    """
    if http.is_question:
        return (), http.path  # whatever its host is called: it is our own endpoint
    if not http.tool_hint:
        is_https = http.scheme == "https" or http.method == "CONNECT"
        port = _https_port(http) if http.method == "CONNECT" else http.port
        tools = catalogue.by_address.get((http.host, port), ())
        if not tools and port is None and is_https:
            tools = catalogue.by_address.get((http.host, 443), ())  # an entry may write the port of https
        return tools, http.path
    tool = catalogue.by_name.get(http.tool_hint)
    prefix = f"/{http.tool_hint}"
    if tool is None or tool.is_function or not (http.path == prefix or http.path.startswith(prefix + "/")):
        return (), http.path
    return (tool,), http.path[len(prefix) :] or "/"


def takes_long(http: HttpCall, catalogue: Catalogue) -> bool:
    """Whether a request may be a long form, an operation of GraphQL or a message, for whose reading others should not
    wait.
    """
    slow = catalogue.documented
    if catalogue.dense and len(http.body) + len(http.query) >= LONG_OPERATION:
        slow |= catalogue.dense
    if catalogue.formed and len(http.body) >= _LONG_FORM and not is_json(media_type(http)):
        slow |= catalogue.formed
    return bool(slow) and any(tool.name in slow for tool in claimants(http, catalogue)[0])


def _https_port(http: HttpCall) -> int | None:
    """The port of a CONNECT's target as one of https: None for 443. (It came by http, whose default was taken off.)"""
    return None if http.port == 443 else http.port or 80


def _call(
    http: HttpCall,
    path: str,
    tool: Tool,
    action: Action,
    variables: dict[str, str],
    beyond: Mapping[str, Json],
) -> ToolCall:
    """`beyond` is what the call may become, and what it sends that nobody reads."""
    query = query_parameters(http.query, {entry.at for entry in action.parameters if entry.is_repeated})
    is_operation = holds_operation(action, query, bool(http.body))
    body = read_operation(query, action) if is_operation else read_body(http, path, action, tool.interface)
    rest = {} if is_operation else query
    parameters = extract(action, body, variables, rest, http.values_of)
    return ToolCall(
        kind=CallKind.ACTION,
        tool=tool.name,
        action=action.name,
        parameters=parameters,
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
                "body": body.value,
                "has_body": bool(http.body),
                **_format_part(action, body),
                **_header_part(action, http),
                **beyond,
            }
        ),
        content_type=body.content_type,
        scheme=http.scheme,
        besides={**unlisted(action, body, rest), **beyond},
        spellings=spellings(parameters),
        batch=_batch(body),
    )


def _batch(body: Body) -> int:
    count = body.value["operations"] if isinstance(body.value, Batch) else 0
    return count if isinstance(count, int) else 0


def _format_part(action: Action, body: Body) -> dict[str, Json]:
    """What the digest of a call holds of a body that may be something else than JSON: what the tool reads it as."""
    return {} if action.bodies == JSON_ALONE else {"content_type": body.content_type}


def _connection(http: HttpCall, tool: Tool) -> ToolCall:
    """A connection that is passed through unopened. Raises Refused(ACTION_UNKNOWN) for what would have to be read."""
    if http.method != "CONNECT":
        problem = "This host is reached by CONNECT alone: its TLS is passed through unopened."
        raise Refused(Reason.ACTION_UNKNOWN, f"{tool.name} is passed through unopened", Fault("method", "", problem))
    facts: dict[str, Json] = {"tool": tool.name, "action": CONNECT_ACTION, "host": tool.host, "port": tool.port}
    return ToolCall(
        kind=CallKind.ACTION,
        tool=tool.name,
        action=CONNECT_ACTION,
        parameters={},
        declared=(),
        host=tool.host,
        port=tool.port,
        method=http.method,
        path="",
        source=http.source,
        rpc=NO_RPC,
        digest=digest_of(facts),
        content_type="",
        scheme="https",
        besides={"opaque": "what passes this connection is read by nobody"},
        spellings={},
        batch=0,
    )


def _header_part(action: Action, http: HttpCall) -> dict[str, Json]:
    """What the digest of a call holds of its headers: those that are parameters."""
    texts = header_texts(action, http.values_of)
    return {"headers": dict(texts)} if texts else {}


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
        spellings={},
        batch=0,
    )
