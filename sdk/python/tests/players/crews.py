"""Plays the cases with a crew of CrewAI, whose model is a script that calls by data, or by the text that it writes."""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from functools import partial
from typing import Any

from crewai import Agent, Crew, Task
from crewai.llms.base_llm import BaseLLM
from crewai.tools import BaseTool
from crewai.tools.base_tool import Tool
from pydantic import Field, create_model

from aegis_agent import Aegis
from aegis_agent.crewai import aegis_tools
from sdk.python.tests.players.script import Cannot, Case, run
from sdk.python.tests.players.tool import blocking_sender

THREADS = "a tool of CrewAI runs in a thread, which cannot be told to stop; a timeout of the client ends the wait"
CANNOT_BY_TEXT = {
    "budget gone": "CrewAI itself turns down the second of two equal calls",
    "parallel calls": "a model that calls by text calls one tool at a time",
}


class Script(BaseLLM):
    """Calls tools, all in one turn or each in its own, is done, and keeps what it was shown of each call."""

    turns: list[list[dict[str, Any]]]
    is_text: bool
    shown: list[str] = Field(default_factory=list)

    def supports_function_calling(self) -> bool:
        """As of crewai: whether calls are data."""
        return not self.is_text

    def call(self, messages: Any, *_: Any, **__: Any) -> Any:
        """As of crewai."""
        self.shown = [each["content"] for each in messages if each["role"] == "tool"]
        if self.is_text:
            turns = [each["content"] for each in messages if each["role"] == "assistant"]
            self.shown = [turn.partition("\nObservation: ")[2] for turn in turns]
        if not self.turns:
            return "Thought: I now know the final answer\nFinal Answer: done" if self.is_text else "done"
        turn = self.turns.pop(0)
        if self.is_text:
            return f"Thought: go on\nAction: send\nAction Input: {json.dumps(turn[0])}\n"
        return [{"id": str(id(call)), "function": {"name": "send", "arguments": json.dumps(call)}} for call in turn]


def tool(aegis: Aegis, stack: AsyncExitStack, case: Case) -> BaseTool:
    """The one tool, which calls through the mesh."""
    send = blocking_sender(aegis, stack, case)
    arguments: Any = create_model("Arguments", path=(str, ...), json=(dict[str, Any], ...))
    return Tool(
        name="send",
        description="Sends something.",
        args_schema=arguments,
        func=lambda **call: json.dumps(send(**call)),
    )


async def play(name: str, case: Case) -> Any:
    """One case: a held call waits in place, for a crew cannot be paused."""
    is_text = name != "crewai"
    if case.name == "cancellation":
        raise Cannot(THREADS)
    if is_text and case.name in CANNOT_BY_TEXT:
        raise Cannot(CANNOT_BY_TEXT[case.name])
    script = Script(
        model="script", turns=[case.calls] if case.is_together else [[call] for call in case.calls], is_text=is_text
    )
    async with AsyncExitStack() as stack:
        aegis = await stack.enter_async_context(Aegis.from_env(case.environment, on_pending=case.tell_held))
        tools = aegis_tools([tool(aegis, stack, case)])
        agent = Agent(role="player", goal="play", backstory="", llm=script, tools=tools)
        crew = Crew(agents=[agent], tasks=[Task(description="go", expected_output="done", agent=agent)])
        output = await asyncio.to_thread(crew.kickoff)
    reports = [record.failure.details for record in output.tool_failures]
    return [_got(text, reports) for text in script.shown], script.shown


def _got(text: str, reports: list[dict[str, Any]]) -> dict[str, Any]:
    """What the program finds of a call that failed, or what the tool gave."""
    report = next((report for report in reports if report["sentence"] in text), None)
    return {"result": json.JSONDecoder().raw_decode(text)[0]} if report is None else dict(report)


if __name__ == "__main__":
    run(partial(play, sys.argv[1]))
