"""MCP sessions on the wire: the header of their ids, and how ext_authz tells ext_proc whose they are.

Source: Model Context Protocol 2025-11-25, transports, "Session Management". Revision 2026-07-28 has no sessions.
"""

from __future__ import annotations

import hashlib

SESSION_HEADER = "mcp-session-id"
OWNER_METADATA = "session_owner"
"""Where ext_authz says whom a session belongs to that the tool may open in its answer; absent where none may begin."""


def session_digest(session_id: str) -> str:
    """What a session is known by in records and to policy: SHA-256, in hex, of the id that the agent shows.

    Never the id itself: who reads it must not be able to go on with the session.
    """
    return hashlib.sha256(session_id.encode()).hexdigest()
