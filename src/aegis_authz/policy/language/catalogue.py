"""The tool catalogue: what an operator writes about a tool, turned into `core.catalogue` values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import SplitResult, unquote_plus, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from aegis_authz.core.catalogue import (
    CONNECT_ACTION,
    FUNCTION,
    JSON_ALONE,
    ONE_OPERATION,
    Action,
    BodyFormat,
    McpTool,
    Parameter,
    ParameterSource,
    ParameterType,
    Tool,
)
from aegis_authz.core.interface import NO_INTERFACE
from aegis_authz.core.path_template import read_template
from aegis_authz.encoding.pointer import escaped
from aegis_authz.policy.language.addresses import address_of, file_beside, match_of, upstream_of
from aegis_authz.policy.language.costs import Cost, SettleEntry
from aegis_authz.policy.language.graphql import GraphqlEntry, operation_terms
from aegis_authz.policy.language.header_names import check_header_name
from aegis_authz.policy.language.types import (
    AnyScalar,
    BodyKinds,
    CatalogueKind,
    ElementKind,
    Name,
    ParameterKind,
    Words,
    pointer,
)
from aegis_authz.policy.language.validation import Part
from aegis_authz.policy.source.problems import quoted
from aegis_authz.policy.source.reader import Location

DEFAULT_MCP_PATH = "/mcp"

_VARIABLE = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}\Z")
_QUERY_NAME = re.compile(r"[A-Za-z0-9._~-]{1,64}\Z")
_ONE_OF_A_BATCH = ("/name", "/variables", "/persisted")
_NAMED = "an action is named with letters, digits and _ . / -, at most 128"
_ACTION_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,127}\Z")


Others = Literal["refuse", "allow"]
"""What becomes of a call that holds more than the listed parameters."""


_HEADER = "header:"


class ParameterEntry(Part):
    """Where a parameter is taken from: "/pointer" into the body, "{variable}" of the path, "?name" of the query or
    "header:name".

    Null in a body counts as no `optional` one. `items` is the type of each element of an array; in a query, which
    writes a list as a pair for each element, they are strings unless it says otherwise.
    """

    at: str = Field(alias="from")
    type: CatalogueKind = "any"
    items: ElementKind | None = None
    optional: bool = False

    @model_validator(mode="after")
    def _is_somewhere(self) -> ParameterEntry:
        if self.at.startswith("/"):
            pointer(self.at)
        elif self.at.startswith(_HEADER):
            check_header_name(self.at.removeprefix(_HEADER))
        elif not _VARIABLE.match(self.at) and not (self.at.startswith("?") and len(self.at) > 1):
            raise ValueError(
                'from must be a JSON pointer "/amount", a path variable "{id}", a query parameter "?q" '
                'or a header "header:x-account"'
            )
        if self.optional and not self.at.startswith("/"):
            raise ValueError("optional is about null in a body; a path, a query or a header has none")
        if self.items is not None and self.type != "array":
            raise ValueError("items is about the elements of a list: it needs type: array")
        return self


class ActionEntry(Part):
    """One action: the requests that are it, and its parameters (none listed: all that the request holds).

    `others` says what becomes of a call that holds more than the listed parameters; `body` is the format of its body,
    or a list of those it may have; `graphql` is in which ways operations of GraphQL may be sent. `stream` lets callers
    of a gRPC method send messages that nobody judges.
    """

    match: Annotated[str, AfterValidator(match_of)]
    description: str = ""
    cost: Cost | None = None
    settle: SettleEntry | None = None
    parameters: dict[Words, ParameterEntry] = Field(default_factory=dict, min_length=1)
    others: Others = "refuse"
    body: BodyKinds = ("json",)
    graphql: GraphqlEntry | None = None
    stream: Literal["opaque"] | None = None

    @model_validator(mode="after")
    def _operations_are_read(self) -> ActionEntry:
        if self.graphql is None:
            return self
        if BodyFormat.GRAPHQL.value not in self.body:
            raise ValueError("graphql is about operations of GraphQL: it needs body: graphql")
        if self.graphql.batch > 1:
            if self.match.startswith("GET "):
                raise ValueError("graphql.batch is about a list in a body, and a GET has none")
            for name, parameter in self.parameters.items():
                if parameter.at.startswith(_ONE_OF_A_BATCH):
                    raise ValueError(
                        f"parameter {quoted(name)} is taken from {parameter.at}, and each operation of a batch has its "
                        "own; take it from /operation, /fields, /selections, /arguments or /operations"
                    )
        return self


class ArgumentEntry(Part):
    """An argument of an MCP tool. Null counts as no `optional` one."""

    type: ParameterKind
    optional: bool = False


def _argument(value: object) -> object:
    return {"type": value} if isinstance(value, str) else value


class McpToolEntry(Part):
    """One tool of an MCP server, or a function, with its arguments, or their types alone: `{owner: string}`.

    `others` says what becomes of a call that has more than the listed arguments.
    """

    description: str = ""
    cost: Cost | None = None
    settle: SettleEntry | None = None
    parameters: dict[Words, Annotated[ArgumentEntry, BeforeValidator(_argument)]] = Field(
        default_factory=dict, min_length=1
    )
    others: Others = "refuse"


def _query_name(value: str) -> str:
    if not _QUERY_NAME.match(value):
        raise ValueError("names no query parameter: letters, digits and . _ ~ -, at most 64")
    return value


class McpEntry(Part):
    """Marks an MCP server: its actions are the server's tools, their parameters the arguments.

    Where `tools` lists them, rules can name no others, and agents call no others. `query` names the query parameters
    that agents may add to the endpoint's own; no rule judges them.
    """

    query: list[Annotated[str, AfterValidator(_query_name)]] = Field(default_factory=list)
    tools: dict[Words, McpToolEntry] | None = None


class ToolEntry(Part):
    """One document of a catalogue.

    With `tls: passthrough` its connections are judged by address alone, as action `connect`, and passed through.
    `region` is what documents and conditions name; `owner` decides nothing. `cost` is that of every call that has none
    of its own. `websocket` lets calls become WebSockets. `decode` takes compressed bodies, which the tool gets decoded.
    `descriptor_set` is the file by which messages of gRPC are read. `functions` are inside the agent: they have no
    host, and are judged at the evaluation endpoint alone.
    """

    tool: Name
    host: Annotated[str, AfterValidator(address_of)] = ""
    upstream: Annotated[str, AfterValidator(upstream_of)] = ""
    description: str = ""
    region: Words | None = None
    owner: AnyScalar | None = None
    cost: Cost | None = None
    settle: SettleEntry | None = None
    tls: Literal["open", "passthrough"] = "open"
    actions: dict[str, ActionEntry] | None = None
    mcp: McpEntry | None = None
    functions: dict[Words, McpToolEntry] | None = Field(default=None, min_length=1)
    websocket: Literal["opaque"] | None = None
    decode: bool = False
    descriptor_set: Annotated[str, AfterValidator(file_beside)] | None = None

    @model_validator(mode="after")
    def _is_one_kind(self) -> ToolEntry:
        if self.functions is not None:
            return self._is_nowhere()
        if not self.host:
            raise ValueError("must have the host that agents call; only functions have none")
        if self.tls == "passthrough":
            if self.actions is not None or self.mcp is not None:
                raise ValueError("is passed through unopened: it has neither actions nor mcp, for nobody sees them")
            if self.decode:
                raise ValueError("is passed through unopened: there is no body to decode, for nobody sees it")
            if self.upstream.startswith("http://"):
                raise ValueError("is passed through unopened: its upstream speaks TLS (https://)")
        elif (self.actions is None) == (self.mcp is None):
            raise ValueError("must have either actions (an HTTP API) or mcp (an MCP server)")
        if self.websocket is not None and self.mcp is not None:
            raise ValueError("websocket is about an HTTP API: an MCP server is called by messages, which are judged")
        if self.descriptor_set is not None and self.actions is None:
            raise ValueError("descriptor_set is about actions with body: grpc, and this tool has none")
        return self

    def _is_nowhere(self) -> ToolEntry:
        """Of functions inside an agent, which no request reaches."""
        words = ("host", "upstream", "actions", "mcp", "websocket", "decode", "descriptor_set")
        word = next((word for word in words if getattr(self, word)), "tls" if self.tls == "passthrough" else "")
        if word:
            raise ValueError(f"has functions, which no request reaches: {word} is about requests")
        return self


@dataclass(frozen=True, slots=True)
class KnownTool:
    """A tool with all that rules may name: its actions, and of each the parameters with their types.

    `actions` is None where the catalogue does not list them (an MCP server without `tools`). An action without
    parameters takes any, and one of `open_actions` takes others besides those that are listed.
    """

    tool: Tool
    actions: Mapping[str, Mapping[str, str]] | None
    open_actions: frozenset[str]


def tool_of(entry: ToolEntry) -> tuple[Tool | None, list[tuple[Location, str]]]:
    """The core value of an entry, or None and what is wrong beyond its shape."""
    faults: list[tuple[Location, str]] = []
    url = urlsplit(entry.upstream)
    if entry.mcp is None and (url.path.strip("/") or url.query):
        faults.append((("upstream",), "an HTTP tool's upstream has no path and no query; put them into the actions"))
    if entry.mcp is not None:
        faults += _query_faults(entry.mcp.query, url.query)
    if entry.actions is not None and not entry.actions:
        faults.append((("actions",), "must not be empty"))
    for action, item in sorted((entry.actions or {}).items()):
        faults += _action_faults(action, item)
    faults += [(("functions", name), _NAMED) for name in sorted(entry.functions or {}) if not _ACTION_NAME.match(name)]
    if faults:
        return None, faults
    name, _, port = entry.host.partition(":")
    tool = Tool(
        name=entry.tool,
        host=name,
        port=int(port) if port else None,
        upstream=_place(entry, url),
        actions=_actions(entry),
        mcp_endpoint="" if entry.mcp is None else _endpoint(url.path or DEFAULT_MCP_PATH, url.query, entry.mcp.query),
        region=entry.region or "",
        mcp_tools=_mcp_tools(entry),
        websocket=entry.websocket is not None,
        decode=entry.decode,
        interface=NO_INTERFACE,
    )
    return tool, []


def _place(entry: ToolEntry, url: SplitResult) -> str:
    if entry.functions is not None:
        return FUNCTION
    if entry.tls == "passthrough":
        return f"tls://{url.netloc or entry.host}"
    return f"{url.scheme}://{url.netloc}" if entry.upstream else ""


def _actions(entry: ToolEntry) -> tuple[Action, ...]:
    if entry.tls == "passthrough":
        return (
            Action(CONNECT_ACTION, "CONNECT", ("",), (), others=False, bodies=JSON_ALONE, operations=ONE_OPERATION),
        )
    if entry.functions is not None:
        return tuple(_function(name, item) for name, item in sorted(entry.functions.items()))
    return tuple(_action(action, item) for action, item in sorted((entry.actions or {}).items()))


def _function(name: str, entry: McpToolEntry) -> Action:
    arguments = _mcp_tool(entry)
    # no request is one of it, whatever its method: nothing claims an address
    return Action(name, "CALL", (name,), arguments.parameters, arguments.others, JSON_ALONE, ONE_OPERATION)


def _endpoint(path: str, query: str, agent_query: Sequence[str]) -> str:
    added = f"{{&{','.join(sorted(agent_query))}}}" if agent_query else ""
    return f"{path}{'?' if query else ''}{query}{added}"


def _query_faults(agent_query: Sequence[str], own_query: str) -> Iterator[tuple[Location, str]]:
    own = {unquote_plus(pair.partition("=")[0]).casefold() for pair in own_query.split("&")}
    names: set[str] = set()
    for name in agent_query:
        if name.casefold() in own:
            yield ("mcp", "query"), f"{quoted(name)} is in the query of upstream already"
        elif name.casefold() in names:
            yield ("mcp", "query"), f"names {quoted(name)} twice"
        names.add(name.casefold())


def _mcp_tools(entry: ToolEntry) -> Mapping[str, McpTool] | None:
    if entry.mcp is None or entry.mcp.tools is None:
        return None
    return {name: _mcp_tool(mcp_tool) for name, mcp_tool in sorted(entry.mcp.tools.items())}


def _mcp_tool(entry: McpToolEntry) -> McpTool:
    arguments = (
        Parameter(
            name, ParameterSource.BODY, f"/{escaped(name)}", ParameterType(type_entry.type), type_entry.optional, None
        )
        for name, type_entry in sorted(entry.parameters.items())
    )
    return McpTool(tuple(arguments), entry.others == "allow")


def known_tool(entry: ToolEntry, tool: Tool) -> KnownTool:
    """What rules may say about a tool."""
    if entry.mcp is None:
        actions = {action.name: {part.name: _kind(part) for part in action.parameters} for action in tool.actions}
        return KnownTool(tool, actions, frozenset(action.name for action in tool.actions if action.others))
    if entry.mcp.tools is None:
        return KnownTool(tool, None, frozenset())
    tools = entry.mcp.tools
    open_tools = frozenset(name for name, mcp_tool in tools.items() if mcp_tool.others == "allow")
    return KnownTool(
        tool,
        {name: {key: part.type for key, part in mcp_tool.parameters.items()} for name, mcp_tool in tools.items()},
        open_tools,
    )


def _kind(parameter: Parameter) -> str:
    """The type of a parameter as conditions know it: to them an uploaded file is an object."""
    return ParameterType.OBJECT.value if parameter.type is ParameterType.FILE else parameter.type.value


def _action_faults(name: str, entry: ActionEntry) -> Iterator[tuple[Location, str]]:
    if not _ACTION_NAME.match(name):
        yield ("actions", name), _NAMED
    variables = read_template(_template(entry)).variables
    for key in sorted(entry.parameters):
        parameter = _parameter(key, entry.parameters[key])
        if parameter.source is ParameterSource.PATH and parameter.at not in variables:
            where: Location = ("actions", name, "parameters", key, "from")
            yield where, f"the path has no variable {quoted('{' + parameter.at + '}')}"


def _action(name: str, entry: ActionEntry) -> Action:
    parameters = tuple(_parameter(key, entry.parameters[key]) for key in sorted(entry.parameters))
    bodies = tuple(BodyFormat(body) for body in entry.body)
    return Action(
        name,
        entry.match.partition(" ")[0],
        _template(entry),
        parameters,
        entry.others == "allow",
        bodies,
        operation_terms(entry.graphql),
    )


def _template(entry: ActionEntry) -> tuple[str, ...]:
    return tuple(entry.match.partition(" ")[2][1:].split("/"))


def _parameter(name: str, entry: ParameterEntry) -> Parameter:
    if entry.at.startswith("/"):
        source, at = ParameterSource.BODY, entry.at
    elif entry.at.startswith("{"):
        source, at = ParameterSource.PATH, entry.at[1:-1]
    elif entry.at.startswith(_HEADER):
        source, at = ParameterSource.HEADER, entry.at.removeprefix(_HEADER)
    else:
        source, at = ParameterSource.QUERY, entry.at[1:]
    items = None if entry.items is None else ParameterType(entry.items)
    return Parameter(name, source, at, ParameterType(entry.type), entry.optional, items)
