"""Limits and breakers as plain JSON inside a bundle, and back, strictly.

`snapshot.limits` maps a limit's id to `{policy, name, per, on_exceed, obligations, approval, terms}`,
`snapshot.breakers` a scope as written to the breakers of its documents. Terms name their kind. Times are milliseconds,
money micro-units.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from aegis_authz.core.approval_terms import present_terms, read_terms
from aegis_authz.core.breaker import Breaker, Breakers
from aegis_authz.core.decision import ApprovalTerms
from aegis_authz.core.json_value import Json
from aegis_authz.core.limit import (
    FLAG_NAME,
    KINDS,
    MOST_CONCURRENT,
    MOST_COUNT,
    MOST_DISTINCT,
    MOST_FLAGS,
    MOST_MICROS,
    MOST_PACE,
    MOST_RATE,
    MOST_WINDOW,
    Budget,
    CalendarWindow,
    Concurrency,
    Count,
    Distinct,
    Exceed,
    Flags,
    Limit,
    OfParameter,
    Per,
    Period,
    Rate,
    RollingWindow,
    Terms,
    Window,
)
from aegis_authz.core.units import LimitId, Micros, Millis
from aegis_authz.encoding.narrowing import integer, items, mapping, members, text

_CURRENCY = re.compile(r"[A-Z]{3}\Z")


def limits_to_data(limits: Mapping[LimitId, Limit]) -> dict[str, Json]:
    """The limits as JSON values, by id."""
    return {
        limit_id: {
            "policy": limit.policy,
            "name": limit.name,
            "per": limit.per.value,
            "on_exceed": limit.on_exceed.value,
            "obligations": [*limit.obligations],
            "approval": _approval_to_data(limit.approval),
            "terms": {"kind": limit.kind, **_terms_to_data(limit.terms)},
        }
        for limit_id, limit in sorted(limits.items())
    }


def limits_from_data(data: Json) -> Mapping[LimitId, Limit]:
    """Read what `limits_to_data` wrote. Raises ValueError for anything else."""
    entries = mapping(data, "the limits")
    return MappingProxyType({LimitId(_filled(name)): _limit(LimitId(name), entry) for name, entry in entries.items()})


def breakers_to_data(scopes: Mapping[str, tuple[Breaker, ...]]) -> dict[str, Json]:
    """The breakers as JSON values, by the scope of their documents."""
    return {scope: [_breaker_to_data(breaker) for breaker in scopes[scope]] for scope in sorted(scopes)}


def breakers_from_data(data: Json) -> Breakers:
    """Read what `breakers_to_data` wrote. Raises ValueError for anything else."""
    scopes = mapping(data, "the breakers")
    return Breakers.by({scope: tuple(map(_breaker, items(entry, "breakers"))) for scope, entry in scopes.items()})


def _terms_to_data(terms: Terms) -> dict[str, Json]:
    match terms:
        case Rate(calls, per, burst):
            return {"calls": calls, "per": per, "burst": burst}
        case Budget(amount, currency, window, of):
            money: dict[str, Json] = {"amount": amount, "currency": currency}
            return {**money, "window": _window_to_data(window), "of": _of_to_data(of)}
        case Count(most, window):
            return {"most": most, "window": _window_to_data(window)}
        case Distinct(parameter, most, window):
            return {"parameter": parameter, "most": most, "window": _window_to_data(window)}
        case Concurrency(most, life):
            return {"most": most, "life": life}
        case Flags(sets, requires, unless, life):
            return {"sets": [*sets], "requires": [*requires], "unless": [*unless], "life": life}


def _approval_to_data(approval: ApprovalTerms | None) -> Json:
    if approval is None:
        return None
    written: dict[str, Json] = {
        "groups": [*approval.groups],
        "expires_in": approval.expires_in,
        "approvals": approval.approvals,
        "confirm": [*approval.confirm],
        "notify": [*approval.notify],
    }
    few: dict[str, Json] = {"proof": approval.proof.value, "unattended": approval.unattended.value}
    return written | present_terms({"hold": approval.hold, **few})


def _window_to_data(window: Window) -> Json:
    if isinstance(window, RollingWindow):
        return {"length": window.length}
    return {"period": window.period.value, "zone": window.zone}


def _of_to_data(of: OfParameter | None) -> Json:
    if of is None:
        return None
    return {"parameter": of.parameter, "micros": of.micros, "currency_parameter": of.currency_parameter}


def _breaker_to_data(breaker: Breaker) -> Json:
    return {
        "id": breaker.id,
        "policy": breaker.policy,
        "refusals": breaker.refusals,
        "forbidden_domain": breaker.forbidden_domain,
        "within": breaker.within,
        "quarantine": breaker.quarantine,
    }


def _limit(limit_id: LimitId, data: Json) -> Limit:
    entry = members(data, {"policy", "name", "per", "on_exceed", "obligations", "approval", "terms"}, "a limit")
    terms = mapping(entry["terms"], "the terms of a limit")
    kind = text(terms.get("kind"), "the kind of a limit")
    if kind not in _TERMS:
        raise ValueError(f"a limit of the unknown kind {kind!r}")
    names, read = _TERMS[kind]
    on_exceed, obligations = (
        Exceed(text(entry["on_exceed"], "on_exceed")),
        tuple(items(entry["obligations"], "obligations")),
    )
    if (on_exceed is Exceed.SANITIZE) != bool(obligations):
        raise ValueError("a limit that sanitizes without what to redact, or the reverse")
    approval = None if entry["approval"] is None else read_terms(entry["approval"])
    if (on_exceed is Exceed.APPROVAL_NEEDED) != (approval is not None):
        raise ValueError("a limit that asks for an approval without its terms, or the reverse")
    return Limit(
        id=limit_id,
        policy=text(entry["policy"], "the policy of a limit"),
        name=_filled(entry["name"]),
        per=Per(text(entry["per"], "per")),
        on_exceed=on_exceed,
        obligations=obligations,
        approval=approval,
        terms=read(members(terms, {"kind", *names}, f"the terms of a {kind}")),
    )


def _rate(data: Mapping[str, Json]) -> Terms:
    per = Millis(_bounded(data["per"], "per", MOST_PACE))
    return Rate(_bounded(data["calls"], "calls", MOST_RATE), per, _bounded(data["burst"], "burst", MOST_RATE))


def _budget(data: Mapping[str, Json]) -> Terms:
    currency = text(data["currency"], "a currency")
    if _CURRENCY.match(currency) is None:
        raise ValueError("a currency is not three capital letters")
    amount = Micros(_bounded(data["amount"], "an amount", MOST_MICROS))
    return Budget(amount, currency, _window(data["window"]), _of(data["of"]))


def _count(data: Mapping[str, Json]) -> Terms:
    return Count(_bounded(data["most"], "most", MOST_COUNT), _window(data["window"]))


def _distinct(data: Mapping[str, Json]) -> Terms:
    most = _bounded(data["most"], "most", MOST_DISTINCT)
    return Distinct(_filled(data["parameter"]), most, _window(data["window"]))


def _concurrency(data: Mapping[str, Json]) -> Terms:
    return Concurrency(_bounded(data["most"], "most", MOST_CONCURRENT), _length(data["life"]))


def _flags(data: Mapping[str, Json]) -> Terms:
    sets, requires, unless = (_flag_names(data[name]) for name in ("sets", "requires", "unless"))
    if not sets and not requires and not unless:
        raise ValueError("flags that do nothing")
    return Flags(sets, requires, unless, _length(data["life"]))


_TERMS: Mapping[str, tuple[set[str], Callable[[Mapping[str, Json]], Terms]]] = {
    KINDS[Rate]: ({"calls", "per", "burst"}, _rate),
    KINDS[Budget]: ({"amount", "currency", "window", "of"}, _budget),
    KINDS[Count]: ({"most", "window"}, _count),
    KINDS[Distinct]: ({"parameter", "most", "window"}, _distinct),
    KINDS[Concurrency]: ({"most", "life"}, _concurrency),
    KINDS[Flags]: ({"sets", "requires", "unless", "life"}, _flags),
}


def _window(data: Json) -> Window:
    entry = mapping(data, "a window")
    if entry.keys() == {"length"}:
        return RollingWindow(_length(entry["length"]))
    entry = members(entry, {"period", "zone"}, "a window")
    zone = text(entry["zone"], "a zone")
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ValueError(f"{zone[:60]!r} is no time zone") from None
    return CalendarWindow(Period(text(entry["period"], "a period")), zone)


def _of(data: Json) -> OfParameter | None:
    if data is None:
        return None
    entry = members(data, {"parameter", "micros", "currency_parameter"}, "what a budget is of")
    return OfParameter(
        parameter=_filled(entry["parameter"]),
        micros=Micros(_bounded(entry["micros"], "micros", MOST_MICROS)),
        currency_parameter=text(entry["currency_parameter"], "currency_parameter"),
    )


def _breaker(data: Json) -> Breaker:
    names = {"id", "policy", "refusals", "forbidden_domain", "within", "quarantine"}
    entry = members(data, names, "a breaker")
    refusals, domains = (
        None if entry[name] is None else _bounded(entry[name], name, MOST_COUNT)
        for name in ("refusals", "forbidden_domain")
    )
    if refusals is None and domains is None:
        raise ValueError("a breaker that counts nothing")
    return Breaker(
        id=LimitId(_filled(entry["id"])),
        policy=text(entry["policy"], "the policy of a breaker"),
        refusals=refusals,
        forbidden_domain=domains,
        within=_length(entry["within"]),
        quarantine=_length(entry["quarantine"]),
    )


def _flag_names(data: Json) -> tuple[str, ...]:
    names = tuple(text(name, "a flag") for name in items(data, "flags"))
    if not all(map(FLAG_NAME.match, names)):
        raise ValueError("what no flag may be called")
    if len(names) > MOST_FLAGS or len(set(names)) != len(names):
        raise ValueError("too many flags, or one twice")
    return names


def _length(data: Json) -> Millis:
    return Millis(_bounded(data, "a length of time", MOST_WINDOW))


def _bounded(data: Json, label: str, most: int) -> int:
    value = integer(data, label)
    if not 0 < value <= most:
        raise ValueError(f"{label} is not from 1 to {most}")
    return value


def _filled(data: Json) -> str:
    value = text(data, "a name")
    if not value:
        raise ValueError("a name is empty")
    return value
