"""The MCP session of a call: held against the agent that shows it, and against the tool it is shown to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.core.call import CallKind, ToolCall
from aegis_authz.core.catalogue import Catalogue
from aegis_authz.core.identity import Identity
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.identity.session import session_owner, unwrapped_id
from aegis_authz.ports.data_plane import SessionKeys
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.mcp.session import OWNER_METADATA, SESSION_HEADER, session_digest

_MCP = (CallKind.MCP_TOOL, CallKind.MCP_SESSION)


@dataclass(frozen=True, slots=True)
class Session:
    """What is known of the session of an MCP call.

    `agent_id` is the id that the agent shows and `tool_id` that of the tool, both "" where it shows none. `opens` says
    that a session may begin with the answer; it then belongs to `owner`.
    """

    owner: str
    agent_id: str
    tool_id: str
    opens: bool

    @property
    def digest(self) -> str:
        """What it is known by; "" where the agent shows no id, or another session begins."""
        return session_digest(self.agent_id) if self.agent_id and not self.opens else ""

    @property
    def upstream_headers(self) -> Mapping[str, str]:
        """What the tool is told."""
        return {SESSION_HEADER: self.tool_id} if self.tool_id else {}

    @property
    def client_replacements(self) -> Mapping[str, str]:
        """What the agent is told where the tool repeats the id."""
        return {SESSION_HEADER: self.agent_id} if self.tool_id and not self.opens else {}

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the processor of heads must know."""
        return {OWNER_METADATA: self.owner} if self.opens else {}


def bound_session(
    http: HttpCall, call: ToolCall, identity: Identity, catalogue: Catalogue, keys: SessionKeys
) -> Session | None:
    """The session of a call, None where it is none of MCP.

    Raises Refused(SESSION_INVALID) for an id that was not opened by this agent on this tool, Refused(AMBIGUOUS_HEADERS)
    for several, Refused(INTERNAL_FAULT) when there are no keys to tell by.
    """
    if call.kind not in _MCP:
        return None
    owner = session_owner(identity.scope, call.tool, catalogue.routes[call.tool])
    ids = http.headers.get(SESSION_HEADER, ())
    if len(ids) > 1:
        raise Refused(Reason.AMBIGUOUS_HEADERS, f"{SESSION_HEADER} is given several times")
    if not ids:
        return Session(owner, "", "", True)
    agent_id = ids[0]
    tool_id = unwrapped_id(agent_id, owner, keys.session_keys())
    return Session(owner, agent_id, tool_id, call.rpc.method == "initialize")
