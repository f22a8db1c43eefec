"""What the agent wants, first as HTTP and then as a call of a tool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from aegis_authz.core.json_value import Json


@dataclass(frozen=True, slots=True)
class HttpCall:
    """One HTTP request as Envoy showed it to us, decoded and nothing more.

    `headers` holds the headers some stage reads, names in lower case, each with every value it was
    sent with, in order. `host` is lower case without its port, `port` None when the request named none; `path` is without the query.
    `tool_hint` names the tool when a reverse route was entered, and `route` is the digest of where Envoy will
    forward the request, "" when it does not say: both come from Envoy's own configuration and never from the client.
    """

    request_id: str
    method: str
    scheme: str
    host: str
    port: int | None
    path: str
    query: str
    headers: Mapping[str, tuple[str, ...]]
    body: bytes
    source: str
    tool_hint: str
    route: str

    def header(self, name: str) -> str | None:
        """The value of a header sent exactly once; None when it is absent or sent several times."""
        values = self.headers.get(name, ())
        return values[0] if len(values) == 1 else None


class CallKind(Enum):
    """How a request became a tool call."""

    HTTP = "http"  # matched an action of the catalogue
    MCP_TOOL = "mcp_tool"  # tools/call of an MCP server
    MCP_SESSION = "mcp_session"  # every other MCP message: handshake, lists, streams
    UNCLAIMED = "unclaimed"  # no catalogue entry claims the address


class RpcShape(Enum):
    """The JSON-RPC shape that an answer to the call must take."""

    NONE = "none"  # plain HTTP
    CALL = "call"  # tools/call: CallToolResult
    REQUEST = "request"  # another request: JSON-RPC error
    NOTIFICATION = "notification"  # no id, or no body at all: status only


@dataclass(frozen=True, slots=True)
class Rpc:
    """What is known of the JSON-RPC message: enough to answer it."""

    shape: RpcShape
    id: str | int | None
    method: str


PLAIN_HTTP = Rpc(RpcShape.NONE, None, "")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of one tool, parsed once, strictly.

    `parameters` is everything a policy may judge. `declared` names the parameters the catalogue
    lists one by one; only these may enter a record. `digest` is the SHA-256 of the canonical form
    (`wire/call_digest.py`), to which an approval is bound. `content_type` is the media type the body
    was judged as; the tool must receive that very type, "" when there is no body.
    """

    kind: CallKind
    tool: str
    action: str
    parameters: Mapping[str, Json]
    declared: tuple[str, ...]
    host: str
    port: int | None
    method: str
    path: str
    source: str
    rpc: Rpc
    digest: str
    content_type: str
    scheme: str
