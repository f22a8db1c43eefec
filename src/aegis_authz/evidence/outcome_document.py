"""What became of calls, and what they used, as JSON objects."""

from __future__ import annotations

from collections.abc import Mapping

from aegis_authz.core.json_value import Json
from aegis_authz.core.money import Money
from aegis_authz.core.record import CostState, OutcomeRecord, SettledCost, UsageRecord
from aegis_authz.encoding.narrowing import integer, items, members, number, text

_COUNTS = ("status", "request_bytes", "response_bytes")

OUTCOME = frozenset(
    ("v", "kind", "decision_id", "time", "details", "flags", "reached", *_COUNTS, "upstream_ms", "duration_ms", "cost")
)
"""The members of such a record."""

_TOKENS = ("input_tokens", "cached_tokens", "cache_write_tokens", "output_tokens")

USAGE = frozenset(("v", "kind", "decision_id", "time", *_TOKENS, "cost"))
"""The members of a record of what a call used."""


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


def usage_to_json(record: UsageRecord) -> dict[str, Json]:
    """The members in their fixed order."""
    return {
        "v": 1,
        "kind": "usage",
        "decision_id": record.decision_id,
        "time": record.time,
        **dict(zip(_TOKENS, record.tokens or (None,) * len(_TOKENS), strict=True)),
        "cost": cost_to_json(record.cost),
    }


def usage_from_json(data: Mapping[str, Json]) -> UsageRecord:
    """Read what `usage_to_json` wrote. Raises ValueError for anything else."""
    put_in, cached, cache_write, put_out = (data[name] for name in _TOKENS)
    is_told = put_in is not None
    if not is_told and any(number is not None for number in (cached, cache_write, put_out)):
        raise ValueError("some tokens are told and others are not")
    return UsageRecord(
        decision_id=text(data["decision_id"], "decision_id"),
        time=number(data["time"], "time"),
        tokens=(
            integer(put_in, _TOKENS[0]),
            integer(cached, _TOKENS[1]),
            integer(cache_write, _TOKENS[2]),
            integer(put_out, _TOKENS[3]),
        )
        if is_told
        else None,
        cost=cost_from_json(data["cost"]),
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
