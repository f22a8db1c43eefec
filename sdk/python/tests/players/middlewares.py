"""Plays the cases with an agent of Microsoft Agent Framework, whose model is a script."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import Any

from agent_framework import (
    Agent,
    AgentResponse,
    AgentSession,
    BaseChatClient,
    ChatResponse,
    Content,
    FunctionInvocationLayer,
    Message,
)

from aegis_agent import Aegis
from aegis_agent.agent_framework import AegisMiddleware, decisions
from sdk.python.tests.players.script import CANCELLED, Case, run, unless_cancelled
from sdk.python.tests.players.tool import sender


class Script(FunctionInvocationLayer[Any], BaseChatClient[Any]):
    """Calls tools, all in one turn or each in its own, and is done."""

    def __init__(self, case: Case) -> None:
        super().__init__()
        calls = [Content.from_function_call(f"call_{n}", "send", arguments=call) for n, call in enumerate(case.calls)]
        self.turns = [calls] if case.is_together else [[call] for call in calls]

    async def _inner_get_response(self, *, messages: Any, stream: bool, options: Any, **_: Any) -> ChatResponse[Any]:
        contents = self.turns.pop(0) if self.turns else [Content.from_text("done")]
        return ChatResponse(messages=[Message("assistant", contents)])


async def play(case: Case) -> Any:
    """One case: the run goes on when somebody has decided."""
    async with AsyncExitStack() as stack:
        aegis = await stack.enter_async_context(Aegis.from_env(case.environment))
        agent = Agent(Script(case), tools=[sender(aegis, stack, case)], middleware=[AegisMiddleware(aegis)])
        session = agent.create_session()
        try:
            response = await unless_cancelled(case, agent.run("go", session=session))
        except asyncio.CancelledError:
            return CANCELLED
        contents = contents_of(response)
        while response.user_input_requests:
            case.tell_held(response.user_input_requests[0].additional_properties["aegis"]["approval_id"])
            await case.decision.wait()
            # as another process would have them
            response = AgentResponse.from_dict(json.loads(json.dumps(response.to_dict())))
            session = AgentSession.from_dict(json.loads(json.dumps(session.to_dict())))
            response = await agent.run(await decisions(aegis, response), session=session)
            contents += contents_of(response)
    results = {content.call_id: content for content in contents if content.type == "function_result"}
    ordered = [results[f"call_{n}"] for n in range(len(case.calls))]
    return [got(result) for result in ordered], [str(result.result) for result in ordered]


def contents_of(response: Any) -> list[Content]:
    """All that the messages of a run hold."""
    return [content for message in response.messages for content in message.contents]


def got(result: Content) -> dict[str, Any]:
    """What the program finds beside the text, or the result."""
    [item] = result.items
    return dict(item.additional_properties.get("aegis") or {"result": json.loads(item.text)})


if __name__ == "__main__":
    run(play)
