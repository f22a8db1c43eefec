"""What a client's settings say of the hook door, so that a call which nobody could judge is not made.

Claude Code has a word for that (`onFailure`), and so has Cursor (`failClosed`); neither Codex nor Cursor asks by HTTP.
Their command ends with 2, which stops the call, for a door that is not there, is slow, or says anything but a decision.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.agent.clients.kinds import ClientKind, Format
from aegis_authz.agent.hooks.dialects import Dialect
from aegis_authz.core.json_value import Json

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
_MARGIN_SECONDS = 5


@dataclass(frozen=True, slots=True)
class HookKind:
    """How one client is told of hooks: its settings, the program that says its version, the first that fails closed."""

    settings: ClientKind
    event: str
    program: str
    first: tuple[int, int, int]
    members: Mapping[str, Json]


def _settings(client: str, file: str) -> ClientKind:
    return ClientKind(client, (file,), (file,), Format.JSON, ("hooks",), "", {}, {})


HOOK_KINDS: Mapping[Dialect, HookKind] = {
    Dialect.CLAUDE_CODE: HookKind(
        _settings("claude-code", ".claude/settings.json"), "PreToolUse", "claude", (2, 1, 295), {}
    ),
    Dialect.CODEX: HookKind(_settings("codex", ".codex/hooks.json"), "PreToolUse", "codex", (0, 124, 0), {}),
    Dialect.CURSOR: HookKind(
        _settings("cursor", ".cursor/hooks.json"), "preToolUse", "cursor", (3, 9, 16), {"version": 1}
    ),
}
"""Every client whose hooks can be written."""


def hook_settings(client: str) -> ClientKind | None:
    """Where a client's hooks are written, None for one whose hooks are not."""
    return next((kind.settings for kind in HOOK_KINDS.values() if kind.settings.name == client), None)


def hook_entry(dialect: Dialect, url: str, seconds: int) -> dict[str, Json]:
    """The entry of the door at `url` in the client's list of hooks; the client waits `seconds` for its answer."""
    match dialect:
        case Dialect.CLAUDE_CODE:
            return {"hooks": [{"type": "http", "url": url, "timeout": seconds, "onFailure": "block"}]}
        case Dialect.CODEX:
            return {"hooks": [{"type": "command", "command": hook_command(dialect, url, seconds), "timeout": seconds}]}
        case Dialect.CURSOR:
            return {"command": hook_command(dialect, url, seconds), "timeout": seconds, "failClosed": True}


def hook_command(dialect: Dialect, url: str, seconds: int) -> str:
    """A command of the shell that hands a question to the door, and its decision to the client. Needs `curl`.

    It gives up before the client does, for what a client makes of a hook that it gave up is the client's affair.
    """
    allow, deny = (
        "'{}'200",
        """'{"hookSpecificOutput":{"hookEventName":"PreToolUse","permissionDecision":"deny",'*200""",
    )
    if dialect is Dialect.CURSOR:
        allow, deny = """'{"permission":"allow"}'200""", """'{"permission":"deny",'*200"""
    limit = max(seconds - _MARGIN_SECONDS, 1)
    # the status follows the answer: a redirect is no failure to curl, and no decision either
    ask = f"curl -qsf --noproxy '*' -m {limit} -w '%{{http_code}}' --data-binary @- {shlex.quote(url)}"
    return f'a=$({ask}) || exit 2; case $a in {allow}|{deny}) printf %s "${{a%200}}";; *) exit 2;; esac'


def version_of(printed: str) -> tuple[int, int, int] | None:
    """The version in what a client prints of itself, None where there is none."""
    match = _VERSION.search(printed)
    return None if match is None else (int(match[1]), int(match[2]), int(match[3]))
