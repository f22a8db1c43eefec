"""What became of the call that an approval let through, in words: for the caller, the record and whoever decides."""

from __future__ import annotations

from datetime import UTC, datetime

from aegis_authz.core.approval import ApprovalUse
from aegis_authz.core.json_value import Json
from aegis_authz.core.units import Epoch

OUTCOME_UNKNOWN = "outcome unknown"


def use_text(use: ApprovalUse) -> str:
    """One clause: when the call was let through, and the status and time of its answer, or that nobody knows."""
    passed = f"let through at {_moment(use.time)}"
    outcome = use.outcome
    if outcome is None:
        return f"{passed}, {OUTCOME_UNKNOWN}"
    if not outcome.was_reached:
        return f"{passed}, over at {_moment(outcome.time)}, and nothing of it was sent to the tool"
    if not outcome.status:
        return f"{passed}, sent to the tool, and over at {_moment(outcome.time)} without an answer: {OUTCOME_UNKNOWN}"
    return f"{passed}, answered with status {outcome.status} at {_moment(outcome.time)}"


def use_facts(use: ApprovalUse) -> dict[str, Json]:
    """The same for programs; `outcome` is null while nobody knows. Times are seconds since the epoch."""
    outcome = use.outcome
    facts: dict[str, Json] | None = None
    if outcome is not None:
        facts = {"status": outcome.status, "time": outcome.time, "was_reached": outcome.was_reached}
    return {"time": use.time, "outcome": facts}


def _moment(time: Epoch) -> str:
    return datetime.fromtimestamp(time, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
