"""Plays the cases with a query of the Claude Agent SDK; a script stands for `claude` and its model."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

from claude_agent_sdk import (
    ClaudeAgentOptions,
    SdkMcpTool,
    ToolResultBlock,
    UserMessage,
    create_sdk_mcp_server,
    query,
    tool,
)

from aegis_agent import Aegis
from aegis_agent.claude_agent_sdk import aegis_hooks
from aegis_agent.claude_script import ClaudeScript
from sdk.python.tests.players.script import CANCELLED, Case, run, unless_cancelled
from sdk.python.tests.players.tool import sender


def tool_of(aegis: Aegis, stack: AsyncExitStack, case: Case) -> SdkMcpTool[Any]:
    """The one tool, which calls through the mesh."""
    send = sender(aegis, stack, case)

    @tool("send", "Sends something.", {"path": str, "json": dict})
    async def sending(arguments: dict[str, Any]) -> dict[str, Any]:
        answer = await send(**arguments)
        return {"content": [{"type": "text", "text": json.dumps(answer)}]}

    return sending


async def results(options: ClaudeAgentOptions, script: ClaudeScript) -> list[ToolResultBlock]:
    """Of all calls, in their order."""
    blocks: list[ToolResultBlock] = []
    async for message in query(prompt="go", options=options, transport=script):
        if isinstance(message, UserMessage):
            blocks += [block for block in message.content if isinstance(block, ToolResultBlock)]
    return blocks


async def play(case: Case) -> Any:
    """One case: a held call waits in place, for Claude cannot be paused at one of several calls."""
    calls = [("mcp__player__send", call) for call in case.calls]
    script = ClaudeScript([calls] if case.is_together else [[call] for call in calls])
    async with AsyncExitStack() as stack:
        aegis = await stack.enter_async_context(Aegis.from_env(case.environment, on_pending=case.tell_held))
        options = ClaudeAgentOptions(
            mcp_servers={"player": create_sdk_mcp_server("player", tools=[tool_of(aegis, stack, case)])},
            hooks=aegis_hooks(aegis, tool="claude-code", servers=["player"]),
        )
        try:
            blocks = await unless_cancelled(case, results(options, script))
        except asyncio.CancelledError:
            return CANCELLED
    shown = [block.content[0]["text"] for block in blocks]
    # of a refusal there is the text alone
    return [
        {} if block.is_error else {"result": json.loads(text)} for block, text in zip(blocks, shown, strict=True)
    ], shown


if __name__ == "__main__":
    run(play)
