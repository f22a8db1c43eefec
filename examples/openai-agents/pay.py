"""An agent of the OpenAI Agents SDK pays: a payment passes, another is refused, a third waits for a person."""

import asyncio
import json
import sys

from agents import Agent, Runner, RunState, set_tracing_disabled
from agents.testing import ScriptedModel, assistant_message, function_call

from aegis_agent import Aegis
from aegis_agent.openai_agents import AegisTools

set_tracing_disabled(True)


def pay(amount: int, payee: str) -> str:
    """Pay a supplier."""
    return f"paid {payee} {amount}"


async def main(aegis: Aegis) -> None:
    """Run the agent, once more after each interruption."""
    tools = AegisTools(aegis)
    amounts = (4200, 50000, 5800)
    calls = [function_call("pay", {"amount": amount, "payee": "ACME"}, call_id=str(amount)) for amount in amounts]
    model = ScriptedModel([calls, [assistant_message("I paid what I may.")]])  # stands for a model
    agent = Agent(name="payer", model=model, tools=[tools.tool(pay, tool="stripe-payments", action="create_payment")])
    result = await Runner.run(agent, "Pay ACME.")
    while held := tools.held(result):
        print(*(each["sentence"] for each in held.values()), flush=True)
        kept = json.dumps([result.to_state().to_string(), held])  # as another process would have it
        await asyncio.to_thread(sys.stdin.readline)  # somebody decides meanwhile
        state, held = await RunState.from_string(agent, json.loads(kept)[0]), json.loads(kept)[1]
        await tools.decide(state, held)
        result = await Runner.run(agent, state)
    aegis.close()
    print(*(item.output for item in result.new_items if item.type == "tool_call_output_item"), sep="\n")


asyncio.run(main(Aegis.from_env()))
