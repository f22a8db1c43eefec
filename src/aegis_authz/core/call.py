"""What the agent wants: one call of a tool."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from aegis_authz.core.json_value import Json
from aegis_authz.core.units import Digest


class CallKind(Enum):
    """How a request became a tool call."""

    ACTION = "http"  # matched an action of the catalogue
    MCP_TOOL = "mcp_tool"  # tools/call of an MCP server
    MCP_SESSION = "mcp_session"  # every other MCP message: handshake, lists, streams
    UNCLAIMED = "unclaimed"  # no catalogue entry claims the address


class RpcShape(Enum):
    """The JSON-RPC shape that an answer to the call must take."""

    NONE = "none"  # plain HTTP
    CALL = "call"  # tools/call: CallToolResult
    REQUEST = "request"  # another request: JSON-RPC error
    NOTIFICATION = "notification"  # no id: a JSON-RPC error without; no body at all: status only
    REPLY = "reply"  # a client's answer to a request of the server: a JSON-RPC error without an id


@dataclass(frozen=True, slots=True)
class Rpc:
    """What is known of the JSON-RPC message: enough to answer it."""

    shape: RpcShape
    id: str | int | None
    method: str


NO_RPC = Rpc(RpcShape.NONE, None, "")


@dataclass(frozen=True, slots=True)
class ToolCall:
    """One call of one tool, parsed once, strictly.

    `parameters` is everything a policy may judge. `declared` names the parameters the catalogue
    lists one by one; only these may enter a record. `digest` is the SHA-256 of the canonical form
    (`wire/call_digest.py`), to which an approval is bound. `content_type` is the media type the body
    was judged as; the tool must receive that very type, "" when there is no body.
    `spellings` is the folded form of each name in the parameters that some reader takes for another name than policy.
    `batch` is how many operations a list of them holds, 0 for a call that is no list.
    `besides` is what else reaches the tool and no rule judges, by its place: whoever approves the call must see it.
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
    digest: Digest
    content_type: str
    scheme: str
    besides: Mapping[str, Json]
    spellings: Mapping[str, str]
    batch: int

    @property
    def count(self) -> int:
        """As how many calls it counts: a list as the operations that it holds."""
        return max(self.batch, 1)
