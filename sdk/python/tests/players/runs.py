"""Plays the cases with an agent of the OpenAI Agents SDK, whose model is a script."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from agents import Agent, Runner, set_tracing_disabled
from agents.items import ToolCallOutputItem
from agents.testing import ScriptedModel, assistant_message, function_call

from aegis_agent import Aegis
from aegis_agent.openai_agents import AegisTools
from sdk.python.tests.players.script import CANCELLED, Case, run, unless_cancelled
from sdk.python.tests.players.tool import sender

set_tracing_disabled(True)


def model(case: Case) -> ScriptedModel:
    """Calls tools, all in one turn or each in its own, and is done."""
    calls = [function_call("send", call, call_id=f"call_{n}") for n, call in enumerate(case.calls)]
    turns = [calls] if case.is_together else [[call] for call in calls]
    return ScriptedModel([*turns, [assistant_message("done")]])


def agent(aegis: Aegis, stack: AsyncExitStack, case: Case) -> Agent[None]:
    """An agent with the one tool, which calls through the mesh."""
    tool = AegisTools(aegis).tool(sender(aegis, stack, case), strict_mode=False)
    return Agent(name="player", model=model(case), tools=[tool])


async def play(case: Case) -> Any:
    """One case: a held call waits in place, for the framework asks for approvals before a tool is called."""
    async with AsyncExitStack() as stack:
        aegis = await stack.enter_async_context(Aegis.from_env(case.environment, on_pending=case.tell_held))
        try:
            result = await unless_cancelled(case, Runner.run(agent(aegis, stack, case), "go"))
        except asyncio.CancelledError:
            return CANCELLED
    items = {item.call_id: item for item in result.new_items if isinstance(item, ToolCallOutputItem)}
    ordered = [items[f"call_{n}"] for n in range(len(case.calls))]
    return [_got(item) for item in ordered], [str(item.raw_item["output"]) for item in ordered]


def _got(item: ToolCallOutputItem) -> dict[str, Any]:
    refusal = (item.custom_data or {}).get("aegis")
    return {"result": item.output} if refusal is None else dict(refusal)


if __name__ == "__main__":
    run(play)
