"""An agent of the OpenAI Agents SDK whose tools are plain functions, judged before they run; the model is a script.

Argument: the calls, `[[tool, arguments], ...]` as JSON. Each line that it prints is JSON. An interrupted run says
`{"held": ...}` and goes on, restored from JSON with tools of its own, when a line comes: `decide` asks the mesh what
became of the held calls, `approve` only says so to the framework.
"""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

from agents import Agent, Runner, RunState, ToolGuardrailFunctionOutput, set_tracing_disabled, tool_input_guardrail
from agents.items import ToolCallOutputItem
from agents.testing import ScriptedModel, assistant_message, function_call

from aegis_agent import Aegis
from aegis_agent.openai_agents import AegisTools

set_tracing_disabled(True)
called: list[Any] = []


@tool_input_guardrail
def strict(data: Any) -> ToolGuardrailFunctionOutput:
    """A guardrail of the program's own."""
    if "nobody" in data.context.tool_arguments:
        return ToolGuardrailFunctionOutput.reject_content("Not to nobody.")
    return ToolGuardrailFunctionOutput.allow()


async def pay(amount: float, payee: str) -> str:
    """Pays."""
    called.append([amount, payee])
    return f"paid {payee}"


def find_person(name: str) -> dict[str, str]:
    """Finds."""
    called.append([name])
    if name == "trouble":
        raise RuntimeError("the directory of 078-05-1120 is gone")
    return {"name": name, "ssn": "078-05-1120", "notes": "shy"}


def say(line: dict[str, Any]) -> None:
    """One line."""
    print(json.dumps(line), flush=True)  # noqa: T201  # to the test


def agent(tools: AegisTools, model: ScriptedModel) -> Agent[None]:
    """The agent, in whichever process."""
    paying = tools.tool(pay, tool="stripe-payments", action="create_payment", tool_input_guardrails=[strict])
    return Agent(name="agent", model=model, tools=[paying, tools.tool(find_person, tool="people")])


async def main() -> None:
    """Runs it to its end."""
    calls = [function_call(name, each, call_id=f"call_{n}") for n, (name, each) in enumerate(json.loads(sys.argv[1]))]
    model = ScriptedModel([calls, [assistant_message("done")]])
    with Aegis.from_env() as aegis:
        tools = AegisTools(aegis)
        result = await Runner.run(agent(tools, model), "go")
        while result.interruptions:
            held = tools.held(result)
            text = result.to_state().to_string()
            say({"held": held, "called": called})
            while True:
                word = (await asyncio.to_thread(sys.stdin.readline)).strip()
                tools = AegisTools(aegis)
                state = await RunState.from_string(agent(tools, model), text)
                try:
                    await _settle(word, tools, state, held)
                except TimeoutError as undecided:
                    say({"undecided": str(undecided)})
                else:
                    break
            result = await Runner.run(agent(tools, model), state)
    outputs = {item.call_id: item for item in result.new_items if isinstance(item, ToolCallOutputItem)}
    reasons = [each.output.output_info for each in result.tool_input_guardrail_results if each.output.output_info]
    shown = {call_id: item.output for call_id, item in outputs.items()}
    say({"shown": shown, "called": called, "refusals": reasons, "end": result.final_output})


async def _settle(word: str, tools: AegisTools, state: RunState[Any, Any], held: dict[str, Any]) -> None:
    if word == "decide":
        await tools.decide(state, held)
    else:
        for interruption in state.get_interruptions():
            state.approve(interruption)


asyncio.run(main())
