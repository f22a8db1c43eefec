"""Two calls of a model that are equal in all, judged at the same time with the OpenAI Agents SDK, and never made.

Prints, as JSON, what each was answered, how many of the permits were reported as not used, and the faults of the loop.
"""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import Any

from aegis_agent import Aegis, openai_agents
from aegis_agent.evaluation import Permit
from aegis_agent.openai_agents import AegisTools

openai_agents.PERMIT_SECONDS = 0.5
reports: list[str] = []


class CountedPermit(Permit):
    """Says that it was not used."""

    def not_called(self) -> None:
        super().not_called()
        reports.append(self.decision_id)


def pay(amount: float, payee: str) -> str:
    """Pays."""
    raise AssertionError("nobody calls it")


async def main() -> None:
    """Asks twice, and waits until both permits are over."""
    faults: list[str] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(str(fault)))
    arguments = json.dumps({"amount": 44, "payee": "ACME"})
    data: Any = SimpleNamespace(context=SimpleNamespace(tool_call_id="call_0", tool_arguments=arguments))
    with Aegis.from_env() as aegis:
        judge = aegis.evaluate_async

        async def evaluate(*call: Any) -> Permit:
            permit = await judge(*call)
            permit.__class__ = CountedPermit
            return permit

        aegis.evaluate_async = evaluate  # type: ignore[method-assign, assignment]  # counted, and otherwise the same
        tool = AegisTools(aegis).tool(pay, tool="stripe-payments", action="create_payment")
        guard = tool.tool_input_guardrails[-1].guardrail_function
        answers = await asyncio.gather(guard(data), guard(data))
        async with asyncio.timeout(30):
            while len(reports) + len(faults) < 2:
                await asyncio.sleep(0.05)
    behaviors = [answer.behavior["type"] for answer in answers]
    print(json.dumps({"answers": behaviors, "reports": len(set(reports)), "faults": faults}))  # noqa: T201  # to the test


asyncio.run(main())
