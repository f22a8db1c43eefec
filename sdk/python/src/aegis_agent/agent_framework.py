"""Microsoft Agent Framework: a refused call is a result that the model reads, and a held one asks the program.

`Agent(client, tools=[pay], middleware=[AegisMiddleware(aegis)])`, whose tools call through a client of ours, without
`on_pending`; `await decisions(aegis, response)` goes on with a run that is held.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from agent_framework import AgentResponse, Content, FunctionInvocationContext, FunctionMiddleware, Message

from aegis_agent.aegis import Aegis
from aegis_agent.errors import AegisError, ApprovalNeeded, ended
from aegis_agent.reports import report

_REPORT = "aegis"
"""The property of a result, or of a request for approval, that holds what the program is told."""


class AegisMiddleware(FunctionMiddleware):
    """Says to the model what the mesh said of a tool call. Put it last: what comes after it would not be judged so."""

    def __init__(self, aegis: Aegis) -> None:
        self._aegis = aegis

    async def process(self, context: FunctionInvocationContext, call_next: Callable[[], Awaitable[None]]) -> None:
        """As of agent_framework: a held call that is made again is made only once somebody approved it in the mesh."""
        try:
            approval_id = _approval_of(context.metadata.get("approval_response"))
            if approval_id is not None:
                standing = await asyncio.to_thread(self._aegis.standing, approval_id)
                if standing.state == "pending":
                    raise AegisError(f"Approval {approval_id}: {standing.sentence} The call was not made.")
                if standing.state != "approved":
                    raise ended(approval_id, standing)
            await call_next()
        except ApprovalNeeded as held:
            context.result = _request(context, held)
        except AegisError as error:
            context.result = [Content.from_text(str(error), additional_properties={_REPORT: report(error)})]


async def decisions(aegis: Aegis, response: AgentResponse[Any]) -> Message | None:
    """Goes on with the calls that are held in this response: the message of the next run, in whichever process.

    The run has the same session. None where there are none; what waits for others is left out.

    Raises TimeoutError while nobody has decided, and AegisUnavailable.
    """
    answers: list[Content] = []
    for request in response.user_input_requests:
        approval_id = _approval_of(request)
        if approval_id is None:
            continue
        standing = await asyncio.to_thread(aegis.standing, approval_id)
        if standing.state == "pending":
            raise TimeoutError(f"approval {approval_id}: {standing.sentence}")
        # a denied one, too: the model then reads why, and the call is not made
        answers.append(request.to_function_approval_response(approved=True))
    return Message("user", answers) if answers else None


def _request(context: FunctionInvocationContext, held: ApprovalNeeded) -> Content:
    call_id = context.metadata["call_id"]
    arguments = context.arguments
    call = Content.from_function_call(
        call_id,
        context.function.name,
        arguments=arguments if isinstance(arguments, dict) else arguments.model_dump(),
        id=context.metadata.get("function_call_occurrence_id"),
    )
    properties = {_REPORT: report(held)}
    return Content.from_function_approval_request(call.id or call_id, call, additional_properties=properties)


def _approval_of(content: Any) -> str | None:
    members = content.additional_properties.get(_REPORT) if isinstance(content, Content) else None
    approval_id = members.get("approval_id") if isinstance(members, dict) else None
    return approval_id if isinstance(approval_id, str) else None
