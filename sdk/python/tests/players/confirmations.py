"""Plays the cases with an agent of Google ADK, whose model is a script."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from typing import Any

from google.adk.agents import LlmAgent
from google.adk.events import Event
from google.adk.models.base_llm import BaseLlm
from google.adk.models.llm_response import LlmResponse
from google.adk.runners import Runner
from google.adk.sessions import InMemorySessionService
from google.genai.types import Content, FunctionCall, Part

from aegis_agent import Aegis
from aegis_agent.google_adk import AegisPlugin, resume
from sdk.python.tests.players.script import CANCELLED, Case, run, unless_cancelled
from sdk.python.tests.players.tool import sender


class Script(BaseLlm):
    """Says what it was given, turn by turn."""

    turns: list[list[Part]]

    async def generate_content_async(self, llm_request: Any, stream: bool = False) -> AsyncGenerator[LlmResponse, None]:
        """As of google.adk."""
        parts = self.turns.pop(0) if self.turns else [Part(text="done")]
        yield LlmResponse(content=Content(role="model", parts=parts))


def model(case: Case) -> Script:
    """Calls tools, all in one turn or each in its own, and is done."""
    calls = [
        Part(function_call=FunctionCall(id=f"call_{n}", name="send", args=call)) for n, call in enumerate(case.calls)
    ]
    return Script(model="script", turns=[calls] if case.is_together else [[call] for call in calls])


def runner(aegis: Aegis, stack: AsyncExitStack, case: Case) -> Runner:
    """A runner of an agent with the one tool, which calls through the mesh."""
    agent = LlmAgent(name="player", model=model(case), tools=[sender(aegis, stack, case)])
    return Runner(
        app_name="player", agent=agent, session_service=InMemorySessionService(), plugins=[AegisPlugin(aegis)]
    )


async def play(case: Case) -> Any:
    """One case: the run goes on when somebody has decided."""
    async with AsyncExitStack() as stack:
        aegis = await stack.enter_async_context(Aegis.from_env(case.environment))
        running = runner(aegis, stack, case)
        session = await running.session_service.create_session(app_name="player", user_id="1")

        async def turn(message: Content) -> list[Event]:
            events = running.run_async(user_id="1", session_id=session.id, new_message=message)
            return [event async for event in events]

        try:
            events = last = await unless_cancelled(case, turn(Content(role="user", parts=[Part(text="go")])))
        except asyncio.CancelledError:
            return CANCELLED
        while (message := resume(last)) is not None:
            case.tell_held(message.parts[0].function_response.response["payload"]["aegis_approval"])
            await case.decision.wait()
            last = await turn(message)
            events = [*events, *last]
    responses = {answer.id: answer for event in events for answer in event.get_function_responses()}
    answers = [dict(responses[f"call_{n}"].response) for n in range(len(case.calls))]
    return [answer if "error" in answer else {"result": answer} for answer in answers], [json.dumps(a) for a in answers]


if __name__ == "__main__":
    run(play)
