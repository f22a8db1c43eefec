"""An agent of Microsoft Agent Framework pays: a payment passes, another is refused, a third waits for a person."""

import asyncio
import sys

from agent_framework import Agent, BaseChatClient, ChatResponse, Content, FunctionInvocationLayer, Message

from aegis_agent import Aegis
from aegis_agent.agent_framework import AegisMiddleware, decisions
from aegis_agent.httpx2 import Client

aegis = Aegis.from_env()
client = Client(aegis)


def pay(amount: int, payee: str) -> str:
    """Pay a supplier."""
    return client.post("http://api.stripe.example/v1/payments", json={"amount": amount, "payee": payee}).text


class Script(FunctionInvocationLayer, BaseChatClient):
    async def _inner_get_response(self, *, messages, stream, options, **kwargs):
        """Stands for a model."""
        calls = {f"call_{amount}": {"amount": amount, "payee": "ACME"} for amount in (4200, 50000, 6100)}
        contents = [Content.from_function_call(call, "pay", arguments=calls[call]) for call in calls]
        return ChatResponse(messages=Message("assistant", contents if len(messages) == 1 else ["I paid what I may."]))


async def main():
    agent = Agent(Script(), tools=[pay], middleware=[AegisMiddleware(aegis)])
    session = agent.create_session()
    first = await agent.run("Pay ACME.", session=session)
    print(*(each.additional_properties["aegis"]["sentence"] for each in first.user_input_requests), flush=True)
    sys.stdin.readline()  # somebody decides meanwhile
    responses = first, await agent.run(await decisions(aegis, first), session=session)
    contents = [content for response in responses for message in response.messages for content in message.contents]
    print(*(content.result for content in contents if content.type == "function_result"), sep="\n")


asyncio.run(main())
