"""Plays the cases with an agent of LangChain, or a graph of LangGraph, whose model is a script."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from langchain.agents import create_agent
from langchain_core.language_models.fake_chat_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode
from langgraph.types import Send

from aegis_agent import Aegis
from aegis_agent.langchain import AegisMiddleware, resume
from aegis_agent.langgraph import awrap_tool_call
from sdk.python.tests.players.script import CANCELLED, Case, run, unless_cancelled
from sdk.python.tests.players.tool import sender

CONFIG: Any = {"configurable": {"thread_id": "1"}}


class Script(GenericFakeChatModel):
    """Says what it was given, whatever tools it has."""

    def bind_tools(self, tools: Any, **_: Any) -> Any:
        return self


def turns(case: Case) -> Iterator[AIMessage]:
    """What the model says: its tool calls, all in one turn or each in its own, and an end."""
    calls: list[Any] = [{"name": "send", "args": call, "id": f"call_{n}"} for n, call in enumerate(case.calls)]
    yield from (AIMessage("", tool_calls=group) for group in ([calls] if case.is_together else [[c] for c in calls]))
    yield AIMessage("done")


def tools(aegis: Aegis, stack: AsyncExitStack, case: Case) -> list[Any]:
    """The one tool, which calls through the mesh."""
    return [tool(sender(aegis, stack, case))]


def agent(aegis: Aegis, stack: AsyncExitStack, case: Case) -> Any:
    """An agent of LangChain."""
    return create_agent(
        Script(messages=turns(case)),
        tools(aegis, stack, case),
        middleware=[AegisMiddleware(aegis)],
        checkpointer=InMemorySaver(),
    )


def graph(aegis: Aegis, stack: AsyncExitStack, case: Case) -> Any:
    """A graph without LangChain's agents: a model, and a node of tools that each call is sent to."""
    script = turns(case)

    def model(_: MessagesState) -> dict[str, Any]:
        return {"messages": [next(script)]}

    def route(state: MessagesState) -> Any:
        last: Any = state["messages"][-1]
        return [Send("tools", [call]) for call in last.tool_calls] or "__end__"

    node = ToolNode(tools(aegis, stack, case), awrap_tool_call=awrap_tool_call(aegis))
    builder = StateGraph(MessagesState).add_node("model", model).add_node("tools", node)
    builder = builder.add_edge(START, "model").add_conditional_edges("model", route).add_edge("tools", "model")
    return builder.compile(checkpointer=InMemorySaver())


async def play(make: Any, case: Case) -> Any:
    """One case: the graph runs to its end, resumed when somebody has decided."""
    async with AsyncExitStack() as stack:
        aegis = await stack.enter_async_context(Aegis.from_env(case.environment))
        running = make(aegis, stack, case)
        try:
            result = await unless_cancelled(case, running.ainvoke({"messages": [HumanMessage("go")]}, CONFIG))
        except asyncio.CancelledError:
            return CANCELLED
        while interrupts := result.get("__interrupt__"):
            case.tell_held(interrupts[0].value["aegis_approval"])
            await case.decision.wait()
            result = await running.ainvoke(resume(interrupts), CONFIG)
    answers = {each.tool_call_id: each for each in result["messages"] if isinstance(each, ToolMessage)}
    messages = [answers[f"call_{n}"] for n in range(len(case.calls))]
    got = [each.artifact if each.status == "error" else {"result": json.loads(each.content)} for each in messages]
    return got, [each.content for each in messages]


if __name__ == "__main__":
    run(partial(play, {"langchain": agent, "langgraph": graph}[sys.argv[1]]))
