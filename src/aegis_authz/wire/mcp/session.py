"""MCP sessions on the wire: the header of their ids, and how ext_authz tells ext_proc whose they are.

Source: Model Context Protocol 2025-11-25, transports, "Session Management". Revision 2026-07-28 has no sessions.
"""

from __future__ import annotations

SESSION_HEADER = "mcp-session-id"
OWNER_METADATA = "session_owner"
"""Where ext_authz says whom a session belongs to that the tool may open in its answer; absent where none may begin."""
