"""Plays the cases with an agent of Pydantic AI, whose model is a script."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

from pydantic_ai import Agent, DeferredToolRequests, FunctionToolset
from pydantic_ai.messages import ModelMessage, ModelResponse, TextPart, ToolCallPart, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from aegis_agent import Aegis
from aegis_agent.pydantic_ai import AegisToolset, decisions
from sdk.python.tests.players.script import CANCELLED, Case, run, unless_cancelled
from sdk.python.tests.players.tool import sender


def model(case: Case) -> FunctionModel:
    """Calls tools, all in one turn or each in its own, and is done."""
    calls = [ToolCallPart("send", call, tool_call_id=f"call_{n}") for n, call in enumerate(case.calls)]
    turns = [calls] if case.is_together else [[call] for call in calls]

    async def answer(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
        turn = sum(isinstance(message, ModelResponse) for message in messages)
        return ModelResponse(turns[turn] if turn < len(turns) else [TextPart("done")])

    return FunctionModel(answer)


def agent(aegis: Aegis, stack: AsyncExitStack, case: Case) -> Agent[None, Any]:
    """An agent with the one tool, which calls through the mesh."""
    toolset = AegisToolset(FunctionToolset([sender(aegis, stack, case)]))
    return Agent(model(case), toolsets=[toolset], output_type=[str, DeferredToolRequests])


async def play(case: Case) -> Any:
    """One case: the run goes on when somebody has decided."""
    async with AsyncExitStack() as stack:
        aegis = await stack.enter_async_context(Aegis.from_env(case.environment))
        playing = agent(aegis, stack, case)
        try:
            result = await unless_cancelled(case, playing.run("go"))
        except asyncio.CancelledError:
            return CANCELLED
        while isinstance(result.output, DeferredToolRequests):
            case.tell_held(next(iter(result.output.metadata.values()))["approval_id"])
            await case.decision.wait()
            results = await asyncio.to_thread(decisions, aegis, result.output)
            result = await playing.run(message_history=result.all_messages(), deferred_tool_results=results)
    parts = [part for message in result.all_messages() for part in message.parts if isinstance(part, ToolReturnPart)]
    returns = {part.tool_call_id: part for part in parts}
    ordered = [returns[f"call_{n}"] for n in range(len(case.calls))]
    return [_got(part) for part in ordered], [part.model_response_str() for part in ordered]


def _got(part: ToolReturnPart) -> dict[str, Any]:
    if isinstance(part.content, dict):
        return {"result": part.content}
    return dict(part.metadata or {})  # of what a person denied there is the text alone


if __name__ == "__main__":
    run(play)
