"""Pydantic AI: a refused call is a return that the model reads, and a held one ends the run as a deferred tool call.

`Agent(model, toolsets=[AegisToolset(FunctionToolset([pay]))], output_type=[str, DeferredToolRequests])`, whose tools
call through a client of ours, without `on_pending`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pydantic_ai import ApprovalRequired, DeferredToolRequests, DeferredToolResults, ToolDenied, ToolReturn
from pydantic_ai.toolsets import WrapperToolset

from aegis_agent.aegis import Aegis
from aegis_agent.errors import AegisError, ApprovalNeeded, ended
from aegis_agent.reports import report


@dataclass
class AegisToolset(WrapperToolset[Any]):
    """Says to the model what the mesh said of a call of the wrapped tools."""

    async def call_tool(self, name: str, tool_args: dict[str, Any], ctx: Any, tool: Any) -> Any:
        """As of pydantic_ai. Raises ApprovalRequired for a held call, whose `metadata` names the approval."""
        try:
            return await super().call_tool(name, tool_args, ctx, tool)
        except ApprovalNeeded as held:
            raise ApprovalRequired(metadata=report(held)) from held
        except AegisError as error:
            return ToolReturn(str(error), metadata=report(error))


def decisions(aegis: Aegis, requests: DeferredToolRequests) -> DeferredToolResults:
    """What became of the held calls: goes into the next `run`, in whichever process, with the messages of before.

    Approvals that are none of ours are left to the program. Raises TimeoutError while nobody has decided, and
    AegisUnavailable.
    """
    results = DeferredToolResults()
    for call in requests.approvals:
        approval_id = requests.metadata.get(call.tool_call_id, {}).get("approval_id")
        if not isinstance(approval_id, str):
            continue
        standing = aegis.standing(approval_id)
        if standing.state == "pending":
            raise TimeoutError(f"approval {approval_id}: {standing.sentence}")
        is_granted = standing.state == "approved"
        results.approvals[call.tool_call_id] = is_granted or ToolDenied(str(ended(approval_id, standing)))
    return results
