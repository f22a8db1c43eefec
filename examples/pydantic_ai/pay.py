"""An agent of Pydantic AI pays: one payment passes, one is refused, one ends the run until a person has decided."""

import sys

from pydantic_ai import Agent, DeferredToolRequests, FunctionToolset
from pydantic_ai.messages import ModelMessage, ModelMessagesTypeAdapter, ModelResponse, TextPart, ToolCallPart
from pydantic_ai.models.function import AgentInfo, FunctionModel

from aegis_agent import Aegis
from aegis_agent.httpx2 import AsyncClient
from aegis_agent.pydantic_ai import AegisToolset, decisions

aegis = Aegis.from_env()
client = AsyncClient(aegis)


async def pay(amount: int, payee: str) -> str:
    """Pay a supplier."""
    url = "http://api.stripe.example/v1/payments"
    return (await client.post(url, json={"amount": amount, "payee": payee})).text


async def script(messages: list[ModelMessage], _: AgentInfo) -> ModelResponse:
    """Stands for a model."""
    calls = [ToolCallPart("pay", {"amount": amount, "payee": "ACME"}) for amount in (4200, 50000, 5700)]
    return ModelResponse(calls if len(messages) == 1 else [TextPart("I paid what I may.")])


toolset = AegisToolset(FunctionToolset([pay]))
agent = Agent(FunctionModel(script), toolsets=[toolset], output_type=[str, DeferredToolRequests])
result = agent.run_sync("Pay ACME.")
while isinstance(held := result.output, DeferredToolRequests):
    print(*(each["sentence"] for each in held.metadata.values()), flush=True)
    sys.stdin.readline()  # somebody decides meanwhile
    history = ModelMessagesTypeAdapter.validate_json(result.all_messages_json())  # as another process would have it
    result = agent.run_sync(message_history=history, deferred_tool_results=decisions(aegis, held))
for part in (part for message in result.all_messages() for part in message.parts if part.part_kind == "tool-return"):
    print(part.model_response_str())
aegis.close()
