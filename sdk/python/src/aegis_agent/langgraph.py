"""LangGraph: a refused call is a `ToolMessage` that the model reads, and a held one pauses the graph.

Tools call through a client of ours, without `on_pending`; `wrap_tool_call` and `awrap_tool_call` go into a `ToolNode`
(or `aegis_agent.langchain.AegisMiddleware` into an agent). The graph needs a checkpointer, and each tool call a task of
its own (`Send`, as agents of langchain have it): of calls that share a task LangGraph repeats all when one is resumed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from langchain_core.messages import ToolMessage
from langgraph.config import get_config
from langgraph.types import Command, Interrupt, interrupt

from aegis_agent.aegis import Aegis
from aegis_agent.errors import AegisError, ApprovalNeeded, ended
from aegis_agent.reports import report

_APPROVAL = "aegis_approval"
"""The member of a resume value that names the approval which was waited for."""
_SCRATCHPAD = "__pregel_scratchpad"  # of langgraph: there is no public way to see a resume value without pausing


def wrap_tool_call(aegis: Aegis) -> Callable[[Any, Callable[[Any], Any]], Any]:
    """For `ToolNode(tools, wrap_tool_call=...)`."""

    def wrap(request: Any, handler: Callable[[Any], Any]) -> Any:
        call = request.tool_call
        try:
            for approval_id in _resumed():
                _require_granted(aegis, approval_id, call)
            return handler(request)
        except ApprovalNeeded as held:
            _pause(held, call)
            return message(AegisError(f"{held} It was resumed before anybody decided."), call)
        except AegisError as error:
            return message(error, call)

    return wrap


def awrap_tool_call(aegis: Aegis) -> Callable[[Any, Callable[[Any], Awaitable[Any]]], Awaitable[Any]]:
    """For `ToolNode(tools, awrap_tool_call=...)`."""

    async def wrap(request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        call = request.tool_call
        try:
            for approval_id in _resumed():
                await asyncio.to_thread(_require_granted, aegis, approval_id, call)
            return await handler(request)
        except ApprovalNeeded as held:
            _pause(held, call)
            return message(AegisError(f"{held} It was resumed before anybody decided."), call)
        except AegisError as error:
            return message(error, call)

    return wrap


def resume(interrupts: Iterable[Interrupt]) -> Command[Any]:
    """Goes on with the calls that these interrupts hold, in whichever process: `graph.invoke(resume(...), config)`.

    They are in `result["__interrupt__"]`, and in `graph.get_state(config).interrupts`. Who decides is asked by the
    mesh: a call that nobody has decided yet pauses again. Interrupts of others are left out.
    """
    ours = [each for each in interrupts if isinstance(each.value, dict) and _APPROVAL in each.value]
    return Command(resume={each.id: {_APPROVAL: each.value[_APPROVAL]} for each in ours})


def message(error: AegisError, call: dict[str, Any]) -> ToolMessage:
    """What the model reads in place of a result; what a program reads is the artifact."""
    return ToolMessage(str(error), tool_call_id=call["id"], name=call["name"], status="error", artifact=report(error))


def _pause(held: ApprovalNeeded, call: dict[str, Any]) -> None:
    """Pauses the graph, in langchain's shape of approvals (`ToolApprovalRequest`), so that pages show it."""
    request = {"type": "tool_approval", "tool_call_id": call["id"], "name": call["name"], "args": call["args"]}
    interrupt({**request, "description": str(held), _APPROVAL: held.approval_id, "expires_at": held.expires_at})


def _resumed() -> list[str]:
    """The approvals that this call was paused for, each resumed: a call that is denied is not asked about anew."""
    scratchpad: Any = get_config()["configurable"][_SCRATCHPAD]
    values = [*scratchpad.resume]
    if not values and (value := scratchpad.get_null_resume(False)) is not None:
        values = [value]
    approvals: list[str] = []
    for value in values:
        approval_id = value.get(_APPROVAL) if isinstance(value, dict) else None
        if not isinstance(approval_id, str):  # of the tool's own interrupt: it asks for it
            break
        interrupt(None)  # takes the value
        approvals.append(approval_id)
    return approvals[-1:]


def _require_granted(aegis: Aegis, approval_id: str, call: dict[str, Any]) -> None:
    """Raises AegisDenied for what a person denied, and pauses again while nobody has decided."""
    standing = aegis.standing(approval_id)
    if standing.state == "pending":
        request = {"type": "tool_approval", "tool_call_id": call["id"], "name": call["name"], "args": call["args"]}
        interrupt({**request, "description": standing.sentence, _APPROVAL: approval_id})
    elif standing.state != "approved":
        raise ended(approval_id, standing)
