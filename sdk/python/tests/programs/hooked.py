"""A query of the Claude Agent SDK whose hooks have calls judged; a script stands for `claude` and its model.

Arguments: the tool of the catalogue, the calls of one turn, `[[name, arguments], ...]` as JSON, and `wait` to have held
calls wait, `broken` for an agent that fails, or `bank` to have calls of that server pass. Prints a line of JSON for
each held call, and last what was shown.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from claude_agent_sdk import ClaudeAgentOptions, ToolResultBlock, UserMessage, query

from aegis_agent import Aegis, ApprovalNeeded
from aegis_agent.claude_agent_sdk import aegis_hooks
from aegis_agent.claude_script import ClaudeScript


def say(line: Any) -> None:
    """One line."""
    print(json.dumps(line), flush=True)  # noqa: T201  # to the test


def tell(held: ApprovalNeeded) -> None:
    """Who waits."""
    say(held.approval_id)


class Broken(Aegis):
    """Fails in a way that nobody foresaw."""

    async def evaluate_async(self, *_: Any) -> Any:
        """Raises."""
        raise ZeroDivisionError("broken")


async def main(tool: str, calls: str, how: str) -> None:
    """Runs it to its end."""
    kind = Broken if how == "broken" else Aegis
    aegis = kind.from_env(on_pending=tell if how == "wait" else None)
    options = ClaudeAgentOptions(hooks=aegis_hooks(aegis, tool=tool, servers=["bank"] if how == "bank" else []))
    shown: list[Any] = []
    script = ClaudeScript([[(name, arguments) for name, arguments in json.loads(calls)]])
    async for message in query(prompt="go", options=options, transport=script):
        if isinstance(message, UserMessage):
            shown += [block.content for block in message.content if isinstance(block, ToolResultBlock)]
    say([block if isinstance(block, str) else block[0]["text"] for block in shown])
    aegis.close()


asyncio.run(main(*sys.argv[1:4]))
