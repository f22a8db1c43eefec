"""LangChain: middleware of an agent. A refused call is a `ToolMessage` that the model reads, and a held one pauses it.

`create_agent(model, tools, middleware=[AegisMiddleware(aegis)], checkpointer=...)`, whose tools call through a client
of ours. In the list it stands after a `ToolRetryMiddleware`: what was refused is then not tried again.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from langchain.agents.middleware import AgentMiddleware

from aegis_agent.aegis import Aegis
from aegis_agent.langgraph import awrap_tool_call, resume, wrap_tool_call

__all__ = ["AegisMiddleware", "resume"]


class AegisMiddleware(AgentMiddleware):
    """Says to the model what the mesh said of a tool call; `resume` goes on with the calls that are held."""

    def __init__(self, aegis: Aegis) -> None:
        super().__init__()
        self._wrap = wrap_tool_call(aegis)
        self._awrap = awrap_tool_call(aegis)

    def wrap_tool_call(self, request: Any, handler: Callable[[Any], Any]) -> Any:
        """As of langchain."""
        return self._wrap(request, handler)

    async def awrap_tool_call(self, request: Any, handler: Callable[[Any], Awaitable[Any]]) -> Any:
        """As of langchain."""
        return await self._awrap(request, handler)
