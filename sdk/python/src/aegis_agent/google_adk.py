"""Google ADK: a refused call is the response that the model reads, and a held one asks for a confirmation.

`Runner(..., plugins=[AegisPlugin(aegis)])`, whose agents have tools that call through a client of ours, without
`on_pending`. Who confirms is asked by the mesh: what somebody answers in the framework only has the call made again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from google.adk.events import Event
from google.adk.plugins.base_plugin import BasePlugin
from google.genai.types import Content, FunctionResponse, Part

from aegis_agent.aegis import Aegis
from aegis_agent.errors import AegisError, ApprovalNeeded, ended
from aegis_agent.reports import report

_CONFIRMATION = "adk_request_confirmation"
_APPROVAL = "aegis_approval"
"""The member of a confirmation's payload that names the approval which is waited for."""


class AegisPlugin(BasePlugin):
    """Says to the model what the mesh said of a tool call; `resume` goes on with the calls that are held."""

    def __init__(self, aegis: Aegis) -> None:
        super().__init__(name="aegis")
        self._aegis = aegis

    async def before_tool_callback(self, *, tool: Any, tool_args: Any, tool_context: Any) -> dict[str, Any] | None:
        """As of google.adk: of a held call that is made again, what somebody decided meanwhile."""
        confirmation = tool_context.tool_confirmation
        approval_id = _approval_of(confirmation.payload) if confirmation is not None else None
        if approval_id is None:
            return None
        if not confirmation.confirmed:
            return report(AegisError(f"Approval {approval_id} was given up: the call was not made."))
        try:
            standing = await asyncio.to_thread(self._aegis.standing, approval_id)
        except AegisError as error:
            return report(error)
        if standing.state == "pending":
            return _held(tool_context, approval_id, standing.sentence)
        return None if standing.state == "approved" else report(ended(approval_id, standing))

    async def on_tool_error_callback(
        self, *, tool: Any, tool_args: Any, tool_context: Any, error: BaseException
    ) -> dict[str, Any] | None:
        """As of google.adk. Errors that are none of ours stay what they are."""
        if isinstance(error, ApprovalNeeded):
            return {**report(error), **_held(tool_context, error.approval_id, str(error))}
        return report(error) if isinstance(error, AegisError) else None


def resume(events: Iterable[Event]) -> Content | None:
    """Goes on with the calls that are held in these events, in whichever process: the `new_message` of the next run.

    None where there are none. A call that nobody has decided yet is held again. Confirmations of others are left out.
    """
    parts: list[Part] = []
    for call in (call for event in events for call in event.get_function_calls()):
        payload = ((call.args or {}).get("toolConfirmation") or {}).get("payload")
        if call.name == _CONFIRMATION and _approval_of(payload) is not None:
            answer = FunctionResponse(id=call.id, name=call.name, response={"confirmed": True, "payload": payload})
            parts.append(Part(function_response=answer))
    return Content(role="user", parts=parts) if parts else None


def _held(tool_context: Any, approval_id: str, sentence: str) -> dict[str, Any]:
    tool_context.request_confirmation(hint=sentence, payload={_APPROVAL: approval_id})
    tool_context.actions.skip_summarization = True  # the model has nothing to say of it yet
    return {"error": "ApprovalNeeded", "sentence": sentence}


def _approval_of(payload: Any) -> str | None:
    approval_id = payload.get(_APPROVAL) if isinstance(payload, dict) else None
    return approval_id if isinstance(approval_id, str) else None
