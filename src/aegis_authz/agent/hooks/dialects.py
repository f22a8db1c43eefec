"""What each coding agent says to a hook before it calls a tool, and what it takes for an answer.

Sources: the hooks references of Claude Code (code.claude.com/docs/en/hooks), Codex (developers.openai.com/codex/hooks)
and Cursor (cursor.com/docs/hooks). An allow says nothing: the client's own questions to its user stay.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.encoding import strict_json

_EVENTS = ("PreToolUse", "preToolUse")
_LONGEST_FOLDER = 4096
"""Characters of a path that Linux takes (limits.h, PATH_MAX); settings are looked for in each folder of it."""
_NO_NAME = re.compile(r"[^A-Za-z0-9_-]")


class HookFault(ValueError):
    """What came is no question of a hook about a call; the message says why."""


class Dialect(Enum):
    """The clients whose hooks are answered, by their names in `aegis connect`."""

    CLAUDE_CODE = "claude-code"
    CODEX = "codex"
    CURSOR = "cursor"


@dataclass(frozen=True, slots=True)
class ToolUse:
    """A call that a client is about to make: the tool as the client names it, its arguments, the project's folder."""

    name: str
    arguments: Mapping[str, Json]
    folder: str

    @property
    def is_of_mcp(self) -> bool:
        """Whether it may be a tool of any MCP server."""
        return self.name.startswith(("MCP:", "mcp__"))

    def is_of_server(self, server: str) -> bool:
        """Whether it may be a tool of an MCP server with this name.

        Cursor names the tool alone, so that it may be one of any; other clients write `mcp__SERVER__TOOL`.
        """
        return self.name.startswith(("MCP:", f"mcp__{_NO_NAME.sub('_', server)}__"))


def tool_use(body: bytes) -> ToolUse:
    """The call that a hook asks about. Raises HookFault."""
    try:
        document = strict_json.parse(body)
    except (Refused, ValueError) as fault:
        raise HookFault(f"the question is no JSON: {fault}") from None
    if not isinstance(document, dict) or document.get("hook_event_name") not in _EVENTS:
        raise HookFault(f"the question is not of the event {' or '.join(_EVENTS)}")
    name, arguments, folder = document.get("tool_name"), document.get("tool_input"), document.get("cwd", "")
    if not isinstance(name, str) or not name or not isinstance(arguments, dict) or not isinstance(folder, str):
        raise HookFault("the question does not say which tool is called with what")
    if len(folder) > _LONGEST_FOLDER or "\0" in folder:
        raise HookFault("the question comes from what is no folder")
    return ToolUse(name, arguments, folder)


def allowed(dialect: Dialect) -> bytes:
    """The answer to a call that may be made. Cursor takes silence for a fault; others ask their user as ever."""
    return b'{"permission":"allow"}' if dialect is Dialect.CURSOR else b"{}"


def refused(dialect: Dialect, sentence: str) -> bytes:
    """The answer to a call that may not be made; the model reads the sentence."""
    if dialect is Dialect.CURSOR:
        return _compact({"permission": "deny", "user_message": sentence, "agent_message": sentence})
    decision = {"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": sentence}
    return _compact({"hookSpecificOutput": decision})


def _compact(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode("ascii")
