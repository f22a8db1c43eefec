"""The use of an approval, and what became of its call, as Redis holds them."""

from __future__ import annotations

from aegis_authz.core.approval import ApprovalUse, CallOutcome
from aegis_authz.core.units import Epoch


def outcome_text(outcome: CallOutcome) -> str:
    """The outcome as conclude.lua takes it."""
    return f"{outcome.status} {round(outcome.time * 1000)} {int(outcome.was_reached)}"


def read_use(text: str) -> ApprovalUse:
    """Read `USED_AT_MS`, or that and what `outcome_text` wrote. Raises ValueError for anything else."""
    numbers = [int(part) for part in text.split(" ")]
    if len(numbers) == 1:
        return ApprovalUse(Epoch(numbers[0] / 1000), None)
    used_at, status, ended_at, reached = numbers
    if reached not in (0, 1):
        raise ValueError("neither reached nor not")
    return ApprovalUse(Epoch(used_at / 1000), CallOutcome(status, Epoch(ended_at / 1000), reached == 1))
