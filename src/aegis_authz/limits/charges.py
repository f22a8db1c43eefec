"""Limits and a call -> what the call uses of each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import orjson

from aegis_authz.core.charge import Charge, Marks, Measure, Member, Pace, Slot, Span, Sum
from aegis_authz.core.json_value import Json
from aegis_authz.core.limit import (
    Budget,
    Concurrency,
    Count,
    Distinct,
    Flags,
    Limit,
    OfParameter,
    Rate,
    Terms,
    window_of,
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
    try:
        return tuple([limits[limit_id] for limit_id in ids])
    except KeyError as missing:
        raise Refused(Reason.LIMIT_UNKNOWN, f"the snapshot has no limit {missing.args[0]}") from None


@dataclass(frozen=True, slots=True)
class Sheet:
    """What limits charge an agent: each limit, whose account it is, and the charge, None where the call decides of it.

    Beside each stands what it is counted over, None where it has no window. All are those of `QUARTER` milliseconds:
    no part of the calendar begins within one. `has_account`: some of it can be given back.
    """

    rows: tuple[tuple[Limit, str, Charge | None, Span | None], ...]
    has_account: bool


def sheet_of(limits: Sequence[Limit], scope: Scope, now: Millis) -> Sheet:
    """What these limits charge the agent at a moment, and until its `QUARTER` is over."""
    rows: list[tuple[Limit, str, Charge | None, Span | None]] = []
    for limit in limits:
        holder, measure, window = limit.holder_of(scope), _measure_of_any(limit.terms, now), window_of(limit.terms)
        charge = None if measure is None else Charge(limit, holder, measure)
        rows.append((limit, holder, charge, None if window is None else span_of(window, now)))
    return Sheet(tuple(rows), any(isinstance(limit.terms, Budget | Count | Concurrency) for limit in limits))


def charges_by(
    sheet: Sheet, parameters: Mapping[str, Json], sessions: Sessions, cost: Money | None, calls: int
) -> tuple[Charge, ...]:
    """What a call with these parameters uses, in the order of the sheet's limits.

    `cost` is what the catalogue's prices make of the call, None where it has none. It counts as so many `calls`, and is
    one under way. Raises Refused(CHARGE_INVALID) for a call whose use of a limit cannot be told: it is never free.
    """
    charges = [
        charge or Charge(limit, holder, _measure(limit.terms, parameters, sessions, cost, span))
        for limit, holder, charge, span in sheet.rows
    ]
    return tuple([_repeated(charge, calls) for charge in charges] if calls > 1 else charges)


def _repeated(charge: Charge, times: int) -> Charge:
    """The charge of several calls where calls are what is counted."""
    if isinstance(charge.measure, Pace):
        return charge._replace(measure=charge.measure._replace(amount=times))
    if isinstance(charge.measure, Sum) and isinstance(charge.limit.terms, Count):
        return charge._replace(measure=charge.measure._replace(amount=times))
    return charge


def charges_of(
    limits: Sequence[Limit],
    parameters: Mapping[str, Json],
    scope: Scope,
    sessions: Sessions,
    cost: Money | None,
    now: Epoch,
) -> tuple[Charge, ...]:
    """What a call with these parameters uses of these limits, as `charges_by` says."""
    moment = Millis(int(now * 1000))
    return charges_by(sheet_of(limits, scope, moment), parameters, sessions, cost, 1)


def _measure_of_any(terms: Terms, now: Millis) -> Measure | None:
    """What every call uses alike; None where the call decides."""
    match terms:
        case Rate(calls, per, burst):
            return Pace(calls, per, burst, 1)
        case Count(most, window):
            return Sum(1, most, span_of(window, now), False)
        case Concurrency(most, life):
            return Slot(most, life)
        case Budget() | Distinct() | Flags():
            return None


def _measure(
    terms: Terms, parameters: Mapping[str, Json], sessions: Sessions, cost: Money | None, span: Span | None
) -> Measure:
    # by isinstance: to match patterns of classes costs several times as much, and calls do it again and again
    if isinstance(terms, Budget) and span is not None:
        of = terms.of
        amount = _cost(cost, terms.currency) if of is None else _paid(of, terms.currency, parameters)
        return Sum(amount, terms.amount, span, of is None)
    if isinstance(terms, Distinct) and span is not None:
        return Member(_values(terms.parameter, parameters), terms.most, span)
    if isinstance(terms, Flags):
        session = sessions.header or sessions.mcp or sessions.token
        return Marks(_hash(session), _hash(sessions.token), terms.sets, terms.requires, terms.unless, terms.life)
    raise AssertionError("every call uses the others alike")


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
