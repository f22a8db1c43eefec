"""The tool catalogue: which request is which action of which tool."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import urlsplit

from aegis_authz.core.interface import Interface
from aegis_authz.core.path_template import PathTemplate, read_template
from aegis_authz.core.units import Seconds

NO_ROUTE = "none"
"""The route of a request that is forwarded to nobody."""


EVERY_TOOL = "*"
"""In place of a tool's name: all of them."""

FUNCTION = "function:"
"""In place of where a tool is: its actions are functions inside the agent, which no request reaches."""

_ROUTE_DIGITS = 24
_OPAQUE = "tls"

CONNECT_ACTION = "connect"
"""The one action of a tool that is passed through unopened: a connection to it."""


class Place(NamedTuple):
    """Where a tool really is."""

    scheme: str
    host: str
    port: int


class ParameterSource(Enum):
    """Where a parameter's value is taken from."""

    BODY = "body"  # JSON pointer into the body
    PATH = "path"  # variable of the path template
    QUERY = "query"  # query parameter
    HEADER = "header"  # request header, in lower case


class ParameterType(Enum):
    """The JSON type a parameter must have; anything else is MALFORMED_CALL."""

    STRING = "string"
    NUMBER = "number"
    INTEGER = "integer"
    BOOLEAN = "boolean"
    ARRAY = "array"
    OBJECT = "object"
    FILE = "file"  # an uploaded one, as an object that says of it what policy may judge
    ANY = "any"


class BodyFormat(Enum):
    """What the body of a call may be. Everything that is not listed for an action is refused."""

    JSON = "json"
    FORM = "form"  # fields as texts
    MULTIPART = "multipart"  # fields and files
    LINES = "ndjson"  # JSON texts, one a line
    TEXT = "text"
    BINARY = "binary"  # content that nobody looks into
    GRAPHQL = "graphql"  # an operation, in JSON or in the query of a GET
    MESSAGE = "grpc"  # one message to a method of a service


JSON_ALONE = (BodyFormat.JSON,)
_OF_JSON = (BodyFormat.JSON, BodyFormat.GRAPHQL)


@dataclass(frozen=True, slots=True)
class Parameter:
    """One named parameter: `at` is a JSON pointer (RFC 6901), a path variable or a query name.

    Null counts as no `optional` one. `items` is the type of each element of an array, None where none is declared.
    """

    name: str
    source: ParameterSource
    at: str
    type: ParameterType
    optional: bool
    items: ParameterType | None

    @property
    def is_repeated(self) -> bool:
        """Whether it is a list that a query writes as one pair for each element."""
        return self.source is ParameterSource.QUERY and self.type is ParameterType.ARRAY


MAX_DOCUMENT, MAX_TOKENS = 32 * 1024, 600
"""Characters and tokens of a document of GraphQL, sent or listed. Each token costs the parser some 30 microseconds; the
introspection query of graphql-js has 400.
"""
LONG_OPERATION = 400
"""Characters of GraphQL, in which some hundred tokens have room: reading them takes 3 ms."""


@dataclass(frozen=True, slots=True)
class OperationTerms:
    """In which ways operations of GraphQL may be sent.

    `batch` is how many one request may hold at most, in a list; 1 for no list. `persisted` are the documents that a
    request may name instead of holding one, by their ids: a SHA-256, or what the tool calls them. `texts` says whether
    a request may hold a document that is not among those.
    """

    batch: int
    persisted: Mapping[str, str]
    texts: bool

    @property
    def has_persisted(self) -> bool:
        """Whether a request may name its document."""
        return bool(self.persisted)

    @property
    def has_long_documents(self) -> bool:
        """Whether a request may name what takes long to read, in one document or more, however short it is itself."""
        return any(self.batch * len(document) >= LONG_OPERATION for document in self.persisted.values())


ONE_OPERATION = OperationTerms(1, MappingProxyType({}), True)
"""One operation, sent with its text."""


@dataclass(frozen=True, slots=True)
class Action:
    """One action of an HTTP tool. One of GET is that of HEAD, too, unless another is.

    `template` is the path split at `/`, as `core.path_template` reads it.
    `parameters` empty means: the members of the JSON body, the path variables and the query. `others` says whether
    a call may hold more than the parameters that are listed; what is more reaches the tool unjudged. `bodies` are the
    formats that its body may have; of all but JSON, no member that is not listed passes. `operations` are the terms of
    those that are GraphQL. `repeated_fields` are those that a form writes as one pair for each element of a list,
    without brackets.
    """

    name: str
    method: str
    template: tuple[str, ...]
    parameters: tuple[Parameter, ...]
    others: bool
    bodies: tuple[BodyFormat, ...]
    operations: OperationTerms

    repeated_fields: frozenset[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        lists = (parameter.at for parameter in self.parameters if parameter.type is ParameterType.ARRAY)
        pointers = (at[1:] for at in lists if at.startswith("/") and at.count("/") == 1)
        names = frozenset(pointer.replace("~1", "/").replace("~0", "~") for pointer in pointers)
        object.__setattr__(self, "repeated_fields", names)


@dataclass(frozen=True, slots=True)
class McpTool:
    """One tool of an MCP server: its arguments, as `Action` has its parameters."""

    parameters: tuple[Parameter, ...]
    others: bool


@dataclass(frozen=True, slots=True)
class Tool:
    """One tool. `host` is what agents call, "" for functions; `port` None means the scheme's default.

    `upstream` is where it really is (`http://127.0.0.1:9001`), "" for https to the host; `tls://host:443` where its TLS
    is passed through unopened, and `FUNCTION` for functions inside the agent.
    `mcp_endpoint` is that of an MCP server: its path, the query that it gets, and in braces the names that an agent may
    add to it (`/mcp?toolsets=issues{&project}`, RFC 6570 section 3.2.9); "" for a plain HTTP tool. `region` is where it
    is, "" when not said. `mcp_tools` are all the tools of an MCP server, None where they are not listed. `websocket`
    says that a call may become a WebSocket, whose frames are judged by nobody. `decode` says that its calls may have
    bodies under a `content-encoding`, which are judged and forwarded decoded. `interface` is what is known of the
    messages that it is sent.
    """

    name: str
    host: str
    port: int | None
    upstream: str
    actions: tuple[Action, ...]
    mcp_endpoint: str
    region: str
    mcp_tools: Mapping[str, McpTool] | None
    websocket: bool
    decode: bool
    interface: Interface

    @property
    def has_dense_bodies(self) -> bool:
        """Whether some of its calls take longer to read than they are long: operations of GraphQL, and messages whose
        fields are told.
        """
        return bool(self.interface.messages) or any(BodyFormat.GRAPHQL in action.bodies for action in self.actions)

    @property
    def has_other_bodies(self) -> bool:
        """Whether some of its calls have bodies that are no JSON: forms, files, texts, content."""
        return any(body not in _OF_JSON for action in self.actions for body in action.bodies)

    @property
    def has_messages(self) -> bool:
        """Whether some of its calls are messages to methods of a service."""
        return any(BodyFormat.MESSAGE in action.bodies for action in self.actions)

    @property
    def is_opaque(self) -> bool:
        """Whether its TLS is passed through unopened: nobody but the agent and the tool reads what is inside."""
        return self.upstream.startswith(f"{_OPAQUE}:")

    @property
    def is_function(self) -> bool:
        """Whether its actions are functions inside the agent: judged at the evaluation endpoint alone."""
        return self.upstream == FUNCTION

    @property
    def is_mcp(self) -> bool:
        return self.mcp_endpoint != ""

    @property
    def mcp_path(self) -> str:
        """The path of the endpoint as the server has it, "" for a plain HTTP tool."""
        return self.mcp_endpoint.partition("{")[0].partition("?")[0]

    @property
    def mcp_query(self) -> str:
        """The query that the server gets whatever an agent sends, "" for none."""
        return self.mcp_endpoint.partition("{")[0].partition("?")[2]

    @property
    def mcp_agent_query(self) -> tuple[str, ...]:
        """The query parameters that an agent may add."""
        names = self.mcp_endpoint.partition("{&")[2].rstrip("}")
        return tuple(names.split(",")) if names else ()

    @property
    def mcp_paths(self) -> tuple[str, ...]:
        """The paths by which agents reach the endpoint: with a slash at their end and without; () for plain HTTP."""
        bare = self.mcp_path.rstrip("/")
        return (bare, f"{bare}/") if bare else ("/",) if self.is_mcp else ()

    @property
    def place(self) -> Place:
        """Where its calls are forwarded to. Raises ValueError for an `upstream` of another scheme or none."""
        url = urlsplit(self.upstream or f"https://{self.authority}")
        if url.scheme not in ("http", "https", _OPAQUE) or not url.hostname:
            raise ValueError(f"tool {self.name!r}: {self.upstream!r} is not an http:// or https:// address")
        return Place(url.scheme, url.hostname, url.port or (80 if url.scheme == "http" else 443))

    def parameters_of(self, action: str) -> tuple[Parameter, ...]:
        """What an action, or a tool of an MCP server, lists; () where it lists nothing or is not known."""
        mcp_tool = (self.mcp_tools or {}).get(action)
        if mcp_tool is not None:
            return mcp_tool.parameters
        return next((entry.parameters for entry in self.actions if entry.name == action), ())

    @property
    def authority(self) -> str:
        """`host` or `host:port`, as agents call it."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def route(self) -> str:
        """The digest of where its calls go and under which host name; two tools with one digest share a route.

        That of functions is `NO_ROUTE`. Raises ValueError when `upstream` is not an http:// or https:// address.
        """
        if self.is_function:
            return NO_ROUTE
        scheme, host, port = self.place
        return hashlib.sha256(f"{scheme}://{host}:{port} {self.authority}".encode()).hexdigest()[:_ROUTE_DIGITS]


class Way(NamedTuple):
    """An action with its template as it is matched."""

    template: PathTemplate
    action: Action


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All tools, by name and by the (host, port) agents call.

    `dense` names the tools whose calls take longer to read than they are long, `formed` those with bodies that are no
    JSON, and `documented` those whose calls may name a document that takes long to read. `routes` is each tool's route,
    by its name; `ways` its actions of a method, in the order in which they are tried. `holds` are the seconds for which
    a request of a tool may be kept open while a person decides, of every tool under `*`. `far` are the tools of other
    regions. `mcp_paths` are all paths at which a tool speaks MCP, as the tool has them.
    """

    by_name: Mapping[str, Tool]
    by_address: Mapping[tuple[str, int | None], tuple[Tool, ...]]
    routes: Mapping[str, str] = field(repr=False)
    ways: Mapping[tuple[str, str], tuple[Way, ...]] = field(repr=False)
    dense: frozenset[str]
    formed: frozenset[str]
    documented: frozenset[str]
    holds: Mapping[str, Seconds]
    far: frozenset[str]
    mcp_paths: frozenset[str]

    def within(self, region: str) -> Catalogue:
        """The same tools as they are in a region: no call of a `far` one, which is said to be in another, is forwarded.

        A mesh without regions, "", forwards all.
        """
        names = frozenset(tool.name for tool in self.by_name.values() if region and tool.region not in ("", region))
        routes = {name: NO_ROUTE if name in names else tool.route for name, tool in self.by_name.items()}
        return replace(self, routes=MappingProxyType(routes), far=names)

    @property
    def near(self) -> Catalogue:
        """The tools to which calls are forwarded; `far` names the others still."""
        if not self.far:
            return self
        near = Catalogue.of(tuple(tool for tool in self.by_name.values() if tool.name not in self.far))
        return replace(near, holds=self.holds, far=self.far)

    def holding(self, holds: Mapping[str, Seconds]) -> Catalogue:
        """The same tools, whose requests may be kept open for so long."""
        return replace(self, holds=MappingProxyType(dict(holds)))

    @property
    def reached(self) -> tuple[Tool, ...]:
        """The tools that requests reach, in order of name: all but functions."""
        return tuple(tool for _, tool in sorted(self.by_name.items()) if not tool.is_function)

    def hold_of(self, tools: Iterable[Tool]) -> Seconds:
        """For how many seconds a request to any of these tools may be kept open, 0 where none is."""
        names = (EVERY_TOOL, *(tool.name for tool in tools))
        return max(self.holds.get(name, Seconds(0.0)) for name in names)

    @staticmethod
    def of(tools: tuple[Tool, ...]) -> Catalogue:
        """Index the tools. Raises ValueError when two have one name, one is nowhere, or a template is none."""
        by_name: dict[str, Tool] = {}
        by_address: dict[tuple[str, int | None], tuple[Tool, ...]] = {}
        for tool in tools:
            if tool.name in by_name:
                raise ValueError(f"two tools are named {tool.name!r}")
            by_name[tool.name] = tool
            if tool.is_function:
                continue
            address = (tool.host, tool.port)
            by_address[address] = (*by_address.get(address, ()), tool)
        routes = {name: tool.route for name, tool in by_name.items()}
        return Catalogue(
            MappingProxyType(by_name),
            MappingProxyType(by_address),
            MappingProxyType(routes),
            MappingProxyType(_ways(tools)),
            frozenset(tool.name for tool in tools if tool.has_dense_bodies),
            frozenset(tool.name for tool in tools if tool.has_other_bodies),
            frozenset(
                tool.name for tool in tools if any(action.operations.has_long_documents for action in tool.actions)
            ),
            MappingProxyType({}),
            frozenset(),
            frozenset(path for tool in tools for path in tool.mcp_paths),
        )


def _ways(tools: tuple[Tool, ...]) -> dict[tuple[str, str], tuple[Way, ...]]:
    ways: dict[tuple[str, str], list[Way]] = {}
    for tool in tools:
        for action in tool.actions:
            ways.setdefault((tool.name, action.method), []).append(Way(read_template(action.template), action))
    return {key: tuple(sorted(entry, key=lambda way: way.template.ranks)) for key, entry in ways.items()}
