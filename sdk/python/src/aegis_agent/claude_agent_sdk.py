"""Claude Agent SDK: hooks that have each call of Claude's own tools judged before it is made.

`ClaudeAgentOptions(hooks=aegis_hooks(aegis, tool="claude-code"))`. Tools of the program (`@tool`) that call through a
client of ours, or are functions of `Aegis.wrap`, need nothing: what is raised there is the error that the model reads.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Collection, Mapping
from typing import Any

from claude_agent_sdk import HookMatcher

from aegis_agent.aegis import Aegis
from aegis_agent.errors import AegisError, ApprovalNeeded
from aegis_agent.evaluation import Permit

SECONDS = 60.0
"""How long a call may wait for its answer; the framework's own limit."""
_SERVER = re.compile(r"[A-Za-z0-9-]+(_[A-Za-z0-9-]+)*")
_TOOL = re.compile(rf"mcp__(?P<server>{_SERVER.pattern})__(?!_)((?!__).)+", re.DOTALL)
_MOST_PERMITS = 1000
"""That are kept until their calls end: of a call that is never made after all nothing is heard again."""


def aegis_hooks(
    aegis: Aegis, *, tool: str, servers: Collection[str] = (), timeout: float = SECONDS
) -> dict[Any, list[HookMatcher]]:
    """The `hooks` of `ClaudeAgentOptions`: each call is judged as the function of that name of a tool of the catalogue.

    `servers` names MCP servers whose calls pass unasked, for the mesh sees them itself: those of which a name can be of
    no other server. `timeout` is in seconds: with `on_pending` as long as a person may take, with an `approval_wait`
    longer than that. An allow leaves the framework's own permissions as they are, and other hooks and `can_use_tool`
    may change the arguments of a call that was judged: use neither for that. What cannot be judged is not called, and
    a `claude` that would call it all the same is refused (`on_failure`). Raises ValueError for a name by which a
    server cannot be told from others.
    """
    for server in servers:
        if _SERVER.fullmatch(server) is None:
            raise ValueError(f"{server!r} is no name by which an MCP server can be told from others")
    hooks = _Hooks(aegis, tool, frozenset(servers))
    return {
        "PreToolUse": [HookMatcher(hooks=[hooks.before], timeout=timeout, on_failure="block")],
        "PostToolUse": [HookMatcher(hooks=[hooks.done])],
        "PostToolUseFailure": [HookMatcher(hooks=[hooks.failed])],
    }


class _Hooks:
    """What is asked before a call, and reported after it."""

    def __init__(self, aegis: Aegis, tool: str, unasked: frozenset[str]) -> None:
        self._aegis = aegis
        self._tool = tool
        self._unasked = unasked
        self._permits: dict[str, Permit] = {}

    async def before(self, call: Mapping[str, Any], _: str | None, __: Any) -> dict[str, Any]:
        name, arguments = call["tool_name"], call["tool_input"]
        if _server_of(name) in self._unasked:
            return {}
        try:
            permit = await self._permit(name, arguments)
        except AegisError as error:
            return _denial(str(error))
        if permit.arguments != arguments or not permit.shows_result:
            await asyncio.to_thread(permit.not_called)
            return _denial(f"{name} on {self._tool} was refused: policy redacts it, and a hook cannot do that.")
        while len(self._permits) >= _MOST_PERMITS:
            del self._permits[next(iter(self._permits))]
        self._permits[call["tool_use_id"]] = permit
        return {}

    async def done(self, call: Mapping[str, Any], _: str | None, __: Any) -> dict[str, Any]:
        permit = self._permits.pop(call["tool_use_id"], None)
        if permit is not None:
            await asyncio.to_thread(permit.done, None)
        return {}

    async def failed(self, call: Mapping[str, Any], _: str | None, __: Any) -> dict[str, Any]:
        permit = self._permits.pop(call["tool_use_id"], None)
        if permit is not None:
            await asyncio.to_thread(permit.failed, RuntimeError())
        return {}

    async def _permit(self, name: str, arguments: Mapping[str, Any]) -> Permit:
        """That the call may be made. Raises AegisError."""
        try:
            return await self._aegis.evaluate_async(self._tool, name, arguments)
        except ApprovalNeeded as error:
            held = error
        permit: Permit = await self._aegis.answer_async(held)
        return permit


def _server_of(name: str) -> str:
    """The MCP server of which a tool with this name is for sure, "" for none: `mcp__a__b__c` is of `a` or of `a__b`."""
    match = _TOOL.fullmatch(name)
    return match["server"] if match is not None else ""


def _denial(sentence: str) -> dict[str, Any]:
    decision = {"hookEventName": "PreToolUse", "permissionDecision": "deny", "permissionDecisionReason": sentence}
    return {"hookSpecificOutput": decision}
