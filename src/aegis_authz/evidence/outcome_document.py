"""What became of calls, as JSON objects."""

from __future__ import annotations

from collections.abc import Mapping

from aegis_authz.core.json_value import Json
from aegis_authz.core.money import Money
from aegis_authz.core.record import CostState, OutcomeRecord, SettledCost
from aegis_authz.encoding.narrowing import integer, items, members, number, text

_COUNTS = ("status", "request_bytes", "response_bytes")

OUTCOME = frozenset(
    ("v", "kind", "decision_id", "time", "details", "flags", "reached", *_COUNTS, "upstream_ms", "duration_ms", "cost")
)
"""The members of such a record."""


def outcome_to_json(record: OutcomeRecord) -> dict[str, Json]:
    """The members in their fixed order."""
    return {
        "v": 1,
        "kind": "outcome",
        "decision_id": record.decision_id,
        "time": record.time,
        "status": record.status,
        "details": record.details,
        "flags": list(record.flags),
        "reached": record.was_reached,
        "request_bytes": record.request_bytes,
        "response_bytes": record.response_bytes,
        "upstream_ms": record.upstream_ms,
        "duration_ms": record.duration_ms,
        "cost": None if record.cost is None else cost_to_json(record.cost),
    }


def outcome_from_json(data: Mapping[str, Json]) -> OutcomeRecord:
    """Read what `outcome_to_json` wrote. Raises ValueError for anything else."""
    status, request_bytes, response_bytes = (integer(data[name], name) for name in _COUNTS)
    if not isinstance(data["reached"], bool):
        raise ValueError("reached is neither true nor false")  # noqa: TRY004  # one error for every surprise
    return OutcomeRecord(
        decision_id=text(data["decision_id"], "decision_id"),
        time=number(data["time"], "time"),
        status=status,
        details=text(data["details"], "details"),
        flags=tuple(text(flag, "flags") for flag in items(data["flags"], "flags")),
        was_reached=data["reached"],
        request_bytes=request_bytes,
        response_bytes=response_bytes,
        upstream_ms=None if data["upstream_ms"] is None else number(data["upstream_ms"], "upstream_ms"),
        duration_ms=number(data["duration_ms"], "duration_ms"),
        cost=None if data["cost"] is None else cost_from_json(data["cost"]),
    )


def cost_to_json(cost: SettledCost) -> Json:
    """What a call was charged in the end."""
    return {"micros": cost.money.micros, "currency": cost.money.currency, "state": cost.state.value}


def cost_from_json(data: Json) -> SettledCost:
    """Read what `cost_to_json` wrote. Raises ValueError for anything else."""
    item = members(data, {"micros", "currency", "state"}, "cost")
    money = Money(integer(item["micros"], "micros"), text(item["currency"], "currency"))
    try:
        return SettledCost(money, CostState(item["state"]))
    except ValueError:
        raise ValueError("state is an unknown word") from None
