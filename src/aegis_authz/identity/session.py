"""MCP sessions bound to who opened them: ids are wrapped with a MAC on their way out, and unwrapped on their way in.

An id of its own is enough: nothing is remembered, and every worker that has the keys reads what another wrote.
Source: Model Context Protocol 2025-11-25, transports, "Session Management"; RFC 2104.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.encoding.base64url import encode

_DOMAIN = "aegis-mcp-session-v1"
_PREFIX = "aegis1"
_VISIBLE = re.compile(r"[\x21-\x7e]{1,1024}\Z")
"""What a session's id consists of, by the specification; the longest known has 36 characters."""
LONGEST_ID = 1200
"""Characters of the longest wrapped id."""


def session_owner(scope: Scope, tool: str, route: str) -> str:
    """Whom a session belongs to: an agent of a tenant, and the place of the tool that it was opened on; in hex."""
    parts = (_DOMAIN, scope.org, scope.tenant, scope.agent, tool, route)
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def wrapped_id(tool_id: str, owner: str, keys: Sequence[bytes]) -> str:
    """The id that an agent is told in place of the tool's, made with the first key.

    Raises ValueError for what can be no id of a session.
    """
    if not _VISIBLE.match(tool_id):
        raise ValueError("the id of a session is not of visible ASCII characters")
    return f"{_PREFIX}.{_mac(keys[0], owner, tool_id).decode()}.{tool_id}"


def unwrapped_id(agent_id: str, owner: str, keys: Sequence[bytes]) -> str:
    """The tool's id in one that was wrapped for this owner with one of the keys. Raises Refused(SESSION_INVALID)."""
    prefix, _, rest = agent_id[: LONGEST_ID + 1].partition(".")
    mac, _, tool_id = rest.partition(".")
    if prefix != _PREFIX or len(agent_id) > LONGEST_ID or not _VISIBLE.match(tool_id):
        raise Refused(Reason.SESSION_INVALID, "not the id of a session that was opened through this mesh")
    # every key is tried, whichever fits: how long it takes tells nothing
    fits = [hmac.compare_digest(_mac(key, owner, tool_id), mac.encode()) for key in keys]
    if not any(fits):
        raise Refused(Reason.SESSION_INVALID, "opened by another agent, on another tool, or under a key that is gone")
    return tool_id


def _mac(key: bytes, owner: str, tool_id: str) -> bytes:
    return encode(hmac.digest(key, f"{owner}\0{tool_id}".encode(), "sha256"))
