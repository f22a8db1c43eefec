"""Limits and a call -> what the call uses of each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from aegis_authz.core.charge import Charge, Fixed, Marks, Measure, Member, Pace, Rolling, Slot, Sum
from aegis_authz.core.json_value import Json
from aegis_authz.core.limit import (
    MOST_WINDOW,
    Budget,
    Concurrency,
    Count,
    Distinct,
    Flags,
    Limit,
    OfParameter,
    Rate,
)
from aegis_authz.core.money import Money
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch, LimitId, Micros, Millis
from aegis_authz.limits.money import micros_of
from aegis_authz.limits.windows import span_of

_MOST_VALUES = 100
"""The most values of one parameter that a call may bring before a limit on different values."""


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions that a call belongs to, each "" where there is none.

    `header` is what the agent says in x-aegis-session, `mcp` the id of its MCP session, `token` what its token's issuer
    says.
    """

    header: str
    mcp: str
    token: str


def resolved(ids: Sequence[LimitId], limits: Mapping[LimitId, Limit]) -> tuple[Limit, ...]:
    """The limits of these ids. Raises Refused(LIMIT_UNKNOWN)."""
    missing = [limit_id for limit_id in ids if limit_id not in limits]
    if missing:
        raise Refused(Reason.LIMIT_UNKNOWN, f"the snapshot has no limit {missing[0]}")
    return tuple(limits[limit_id] for limit_id in ids)


def charges_of(
    limits: Sequence[Limit],
    parameters: Mapping[str, Json],
    scope: Scope,
    sessions: Sessions,
    cost: Money | None,
    now: Epoch,
) -> tuple[Charge, ...]:
    """What a call with these parameters uses, in the order of the limits.

    `cost` is what the catalogue's prices make of the call, None where it has none. Raises Refused(CHARGE_INVALID) for
    a call whose use of a limit cannot be told: it is never free.
    """
    moment = Millis(int(now * 1000))
    charges: list[Charge] = []
    for limit in limits:
        measure = _measure(limit, parameters, sessions, cost, moment)
        charges.append(Charge(limit, limit.holder_of(scope), measure, _since(measure, moment)))
    return tuple(charges)


def _measure(
    limit: Limit, parameters: Mapping[str, Json], sessions: Sessions, cost: Money | None, now: Millis
) -> Measure:
    match limit.terms:
        case Rate(calls, per, burst):
            return Pace(calls, per, burst)
        case Budget(most, currency, window, None):
            return Sum(_cost(cost, currency), most, span_of(window, now), True)
        case Budget(most, currency, window, OfParameter() as of):
            return Sum(_paid(of, currency, parameters), most, span_of(window, now), False)
        case Count(most, window):
            return Sum(1, most, span_of(window, now), False)
        case Distinct(parameter, most, window):
            return Member(_values(parameter, parameters), most, span_of(window, now))
        case Concurrency(most, life):
            return Slot(most, life)
        case Flags(sets, requires, unless, life):
            session = sessions.header or sessions.mcp or sessions.token
            return Marks(_hash(session), _hash(sessions.token), sets, requires, unless, life)
        case Budget():
            raise AssertionError("a budget is of cost or of a parameter")


def _cost(cost: Money | None, currency: str) -> Micros:
    if cost is None:
        raise Refused(Reason.CHARGE_INVALID, "the catalogue has no price for the call")
    if cost.currency != currency:
        raise Refused(Reason.CHARGE_INVALID, f"the call costs {cost.currency}, its budget is of {currency}")
    return Micros(cost.micros)


def _paid(of: OfParameter, currency: str, parameters: Mapping[str, Json]) -> Micros:
    if of.currency_parameter:
        spelled = _value(of.currency_parameter, parameters)
        if not isinstance(spelled, str) or spelled.upper() != currency:
            raise Refused(Reason.CHARGE_INVALID, f"the parameter {of.currency_parameter} is not {currency}")
    return micros_of(_value(of.parameter, parameters), of.micros, f"the parameter {of.parameter}")


def _values(parameter: str, parameters: Mapping[str, Json]) -> tuple[str, ...]:
    """The hash of the parameter's value, or of each of a list's: a list is no way to name many as one."""
    value = _value(parameter, parameters)
    values = value if isinstance(value, list) else [value]
    if not values or len(values) > _MOST_VALUES:
        raise Refused(Reason.CHARGE_INVALID, f"the parameter {parameter} has none or too many values")
    if any(entry is None or isinstance(entry, list | dict) for entry in values):
        raise Refused(Reason.CHARGE_INVALID, f"the parameter {parameter} is not a plain value")
    return tuple(dict.fromkeys(_digest(orjson.dumps(entry)) for entry in values))


def _value(parameter: str, parameters: Mapping[str, Json]) -> Json:
    if parameter not in parameters:
        raise Refused(Reason.CHARGE_INVALID, f"the parameter {parameter} is missing")
    return parameters[parameter]


def _hash(session: str) -> str:
    return _digest(session.encode("utf-8", "surrogatepass")) if session else ""


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:32]


def _since(measure: Measure, now: Millis) -> Millis:
    match measure:
        case Sum(span=Fixed(starts_at=starts_at)) | Member(span=Fixed(starts_at=starts_at)):
            return starts_at
        case Sum(span=Rolling(length=length)) | Member(span=Rolling(length=length)):
            return Millis(now - length)
        case Pace(calls, per, burst):
            return Millis(now - (burst * per // calls + 1))
        case Slot(life=life):
            return Millis(now - life)
        case Marks(unless=unless):
            return Millis(now - MOST_WINDOW) if unless else now
    raise AssertionError("every measure is one of these")
