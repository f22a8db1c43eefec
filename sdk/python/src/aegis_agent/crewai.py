"""CrewAI: a refused or held call is a `ToolFailure`, which the model reads and the program finds in the output.

`Agent(..., tools=aegis_tools([pay]))`, whose tools call through a client of ours, or are functions of `Aegis.wrap`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from crewai.tools import BaseTool
from crewai.tools.tool_failure import ToolFailure

from aegis_agent.errors import AegisDenied, AegisError, ApprovalNeeded
from aegis_agent.reports import report


class AegisTool(BaseTool):
    """A tool that says what the mesh said of its call.

    It is the tool that is wrapped, and no hook: CrewAI goes on with a call whose hook raised, and a hook that blocks a
    call has no words for the model.
    """

    inner: BaseTool

    def format_output_for_agent(self, raw_result: Any) -> str:
        """As of crewai, in the words of the inner tool."""
        return str(self.inner.format_output_for_agent(raw_result))

    def _run(self, *args: Any, **kwargs: Any) -> Any:
        try:
            result = self.inner._run(*args, **kwargs)  # as BaseTool.run calls it
            return asyncio.run(result) if asyncio.iscoroutine(result) else result
        except AegisError as error:
            return failure(error)

    async def _arun(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return await self.inner._arun(*args, **kwargs)  # as BaseTool.arun calls it
        except AegisError as error:
            return failure(error)


def aegis_tools(tools: Iterable[BaseTool]) -> list[BaseTool]:
    """The tools for an agent: the same to the model, and none of their results is kept to answer a later call with.

    A kept result would answer an equal call that the mesh was never asked about. Tools of both kinds of CrewAI may be
    given, synchronous and asynchronous.
    """
    return [
        AegisTool(
            name=tool.name,
            description=tool.description,
            env_vars=tool.env_vars,
            args_schema=tool.args_schema,
            result_schema=tool.result_schema,
            result_as_answer=tool.result_as_answer,
            max_usage_count=tool.max_usage_count,
            current_usage_count=tool.current_usage_count,
            tool_failure_policy=tool.tool_failure_policy,
            cache_function=_never,
            inner=tool,
        )
        for tool in tools
    ]


def failure(error: AegisError) -> ToolFailure:
    """What the model reads in place of a result; `details` are for the program."""
    refused = error if isinstance(error, AegisDenied | ApprovalNeeded) else None
    return ToolFailure(
        message=str(error),
        code=refused.reason if refused is not None else None,
        retryable=isinstance(error, AegisDenied) and error.retryable,
        details=report(error),
    )


def _never(_arguments: Any = None, _result: Any = None) -> bool:
    return False
