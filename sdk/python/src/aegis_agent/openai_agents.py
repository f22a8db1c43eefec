"""OpenAI Agents SDK: a refused call is text that the model reads, and a held function interrupts the run (`RunState`).

`tools = AegisTools(aegis)`, and `Agent(tools=[tools.tool(pay)])` for a tool that calls through a client of ours, or
`tools.tool(raise_salary, tool="people", action="raise_salary")` for a plain function, which is judged before it runs.
"""

from __future__ import annotations

import asyncio
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from agents import (
    FunctionTool,
    ToolGuardrailFunctionOutput,
    ToolInputGuardrail,
    default_tool_error_function,
    function_tool,
)

from aegis_agent.aegis import Aegis
from aegis_agent.errors import AegisError, AegisUnavailable, ApprovalNeeded, ToolFailed, ended
from aegis_agent.evaluation import Permit
from aegis_agent.reports import report

PERMIT_SECONDS = 60.0
"""How long leave to call waits for the call, which the agent's own guardrails may still stop."""
_MOST_REMEMBERED = 1000
_Failure = Callable[[Any, Exception], Any]


class AegisTools:
    """Makes the tools of agents. Use it in one event loop."""

    def __init__(self, aegis: Aegis) -> None:
        self._aegis = aegis
        self._permits: dict[_Call, tuple[Permit, asyncio.TimerHandle]] = {}
        self._held: dict[str, ApprovalNeeded] = {}
        self._refusals: dict[_Call, AegisError] = {}
        self._reports: dict[str, dict[str, Any]] = {}
        self._reporting: set[asyncio.Task[None]] = set()

    def tool(
        self,
        function: Callable[..., Any],
        *,
        tool: str = "",
        action: str = "",
        failure_error_function: _Failure | None = default_tool_error_function,
        **options: Any,
    ) -> FunctionTool:
        """As `function_tool` of agents, with its options.

        With `tool`, the function is judged as `action` of it in the catalogue (its own name, unless that says
        otherwise): a held call interrupts the run. Without, it calls through the mesh itself.
        """
        own_approval = options.pop("needs_approval", False)
        plain = function_tool(function, failure_error_function=None, **options)
        if not tool:
            held_by_program = own_approval
            guardrails = plain.tool_input_guardrails
        else:
            judged = _Judged(tool, action or getattr(function, "__name__", plain.name))
            held_by_program = self._approval(judged, own_approval)
            guardrails = [*(plain.tool_input_guardrails or []), self._guardrail(judged)]

        async def invoke(context: Any, arguments: str) -> Any:
            try:
                if not tool:
                    return await plain.on_invoke_tool(context, arguments)
                return await self._call(judged.call(context.tool_call_id, arguments), plain, context)
            except AegisError as error:
                _remember(self._reports, context.tool_call_id, report(error))
                return str(error)
            except Exception as error:
                if failure_error_function is None:
                    raise
                text = failure_error_function(context, error)
                return await text if inspect.isawaitable(text) else text

        own_data = plain.custom_data_extractor

        async def custom_data(context: Any) -> Any:
            data = own_data(context) if own_data is not None else None
            data = await data if inspect.isawaitable(data) else data
            refusal = self._reports.pop(context.tool_context.tool_call_id, None)
            return data if refusal is None else {**(data or {}), "aegis": refusal}

        return replace(
            plain,
            on_invoke_tool=invoke,
            needs_approval=held_by_program,
            tool_input_guardrails=guardrails,
            custom_data_extractor=custom_data,
        )

    def held(self, result: Any) -> dict[str, Any]:
        """Of an interrupted run, the approvals that its calls wait for, by the names of the calls: JSON, to be kept
        with `result.to_state().to_string()`. Interruptions that are none of ours are left out."""
        ids = (interruption.raw_item.call_id for interruption in result.interruptions)
        return {call_id: report(self._held[call_id]) for call_id in ids if call_id in self._held}

    async def decide(self, state: Any, held: dict[str, Any]) -> None:
        """Approve or reject the held calls in the RunState, as somebody decided about them in the mesh.

        In whichever process: `held` is what `held` gave. Raises TimeoutError while nobody has decided, and
        AegisUnavailable; then nothing is approved.
        """
        interruptions = {each.raw_item.call_id: each for each in state.get_interruptions()}
        approvals = {call_id: held[call_id]["approval_id"] for call_id in interruptions.keys() & held.keys()}
        standings = {each: await asyncio.to_thread(self._aegis.standing, approvals[each]) for each in approvals}
        for call_id, standing in standings.items():
            if standing.state == "pending":
                raise TimeoutError(f"approval {approvals[call_id]}: {standing.sentence}")
        for call_id, standing in standings.items():
            if standing.state == "approved":
                state.approve(interruptions[call_id])
            else:
                denied = ended(approvals[call_id], standing)
                state.reject(interruptions[call_id], rejection_message=str(denied))

    def _approval(self, judged: _Judged, own: Any) -> Any:
        """Whether the run is interrupted before the call: only where a person must decide, the program's or ours."""

        async def needs_approval(context: Any, parameters: dict[str, Any], call_id: str) -> bool:
            call = judged.call(call_id, json.dumps(parameters))
            refusal = await self._ahead(call)
            if isinstance(refusal, ApprovalNeeded):
                return True
            if refusal is not None:
                _remember(self._refusals, call, refusal)
                return False
            answer = own(context, parameters, call_id) if callable(own) else own
            return bool(await answer if inspect.isawaitable(answer) else answer)

        return needs_approval

    def _guardrail(self, judged: _Judged) -> ToolInputGuardrail[Any]:
        async def guard(data: Any) -> ToolGuardrailFunctionOutput:
            call_id = data.context.tool_call_id
            call = judged.call(call_id, data.context.tool_arguments)
            refusal = self._refusals.pop(call, None) or await self._ahead(call)
            if refusal is None:
                return ToolGuardrailFunctionOutput.allow()
            return ToolGuardrailFunctionOutput.reject_content(str(refusal), {"call_id": call_id, **report(refusal)})

        return ToolInputGuardrail(guardrail_function=guard, name="Aegis")

    async def _ahead(self, call: _Call) -> AegisError | None:
        """What refuses the call; None where it may be made next, and is not judged a second time then."""
        if self._aegis.on_pending is not None or call in self._permits:
            return None  # who waits does so in the call
        try:
            permit = await self._judge(call)
        except AegisError as refusal:
            return refusal
        self._drop(call)  # that of an equal call which was judged at the same time
        timer = asyncio.get_running_loop().call_later(PERMIT_SECONDS, self._drop, call)
        self._permits[call] = permit, timer
        return None

    async def _judge(self, call: _Call) -> Permit:
        """Raises AegisError. What was held is not asked about anew until somebody has decided, nor once denied."""
        if (held := self._held.get(call.id)) is not None:
            standing = await asyncio.to_thread(self._aegis.standing, held.approval_id)
            if standing.state == "pending":
                raise held
            if standing.state != "approved":
                raise ended(held.approval_id, standing)
            self._held.pop(call.id, None)
        try:
            return await self._aegis.evaluate_async(call.judged.tool, call.judged.action, call.parameters())
        except ApprovalNeeded as error:
            _remember(self._held, call.id, error)
            raise

    async def _call(self, call: _Call, plain: FunctionTool, context: Any) -> Any:
        """What may be shown of the function's result. Raises AegisError, and what the function raises."""
        ahead = self._permits.pop(call, None)
        if ahead is not None:
            permit, timer = ahead
            timer.cancel()
        else:
            try:
                permit = await self._judge(call)
            except ApprovalNeeded as held:
                permit = await self._aegis.answer_async(held)
                self._held.pop(call.id, None)
        trouble: Exception | None = None  # a task that is cancelled tells nothing: what was done is not known
        try:
            result = await plain.on_invoke_tool(context, json.dumps(permit.arguments))
        except Exception as error:  # noqa: BLE001  # whatever it is, it goes on, or what may be shown of it does
            trouble = error
        if trouble is not None:
            shown = await asyncio.to_thread(permit.failed, trouble)
            raise trouble if permit.shows_result else ToolFailed(shown)
        return await asyncio.to_thread(permit.done, result)

    def _drop(self, call: _Call) -> None:
        """Give back the permit of a call that was not made, where there is one."""
        if (waiting := self._permits.pop(call, None)) is None:
            return
        permit, timer = waiting
        timer.cancel()
        task = asyncio.get_running_loop().create_task(asyncio.to_thread(permit.not_called))
        self._reporting.add(task)
        task.add_done_callback(self._reporting.discard)


@dataclass(frozen=True, slots=True)
class _Judged:
    """What a function is in the catalogue."""

    tool: str
    action: str

    def call(self, call_id: str, arguments: str) -> _Call:
        """The call as each place of the framework shows it, whatever spaces and order its JSON has there."""
        try:
            text = json.dumps(json.loads(arguments or "{}", parse_constant=_refuse_constant), sort_keys=True)
        except ValueError:
            text = ""
        return _Call(self, call_id, text)


@dataclass(frozen=True, slots=True)
class _Call:
    """One call by a model: two may have one name, so that its arguments count, too."""

    judged: _Judged
    id: str
    arguments: str

    def parameters(self) -> dict[str, Any]:
        """Raises AegisUnavailable where the model wrote none: nothing is called then."""
        parameters = json.loads(self.arguments or "null")
        if not isinstance(parameters, dict):
            raise AegisUnavailable("the arguments of the call are no object of JSON")
        return parameters


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def _remember(memory: dict[Any, Any], call: str | _Call, value: Any) -> None:
    """Of calls that ended somewhere else nobody hears: the latest are remembered."""
    memory.pop(call, None)
    memory[call] = value
    for oldest in list(memory)[:-_MOST_REMEMBERED]:
        del memory[oldest]
