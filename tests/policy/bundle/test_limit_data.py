"""Limits and breakers through a bundle and back, and every surprise refused."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.approval import ApprovalProof, Unattended
from aegis_authz.core.breaker import Breaker
from aegis_authz.core.decision import ApprovalTerms
from aegis_authz.core.limit import (
    MOST_COUNT,
    MOST_FLAGS,
    MOST_MICROS,
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
)
from aegis_authz.policy.bundle.limit_data import (
    breakers_from_data,
    breakers_to_data,
    limits_from_data,
    limits_to_data,
)

NAMES = st.text("abc_-", min_size=1, max_size=5).map("f{}".format)
LENGTHS = st.integers(1, MOST_WINDOW)
WINDOWS = st.one_of(
    st.builds(CalendarWindow, st.sampled_from(Period), st.sampled_from(["Europe/Berlin", "UTC", "Asia/Kathmandu"])),
    st.builds(RollingWindow, LENGTHS),
)
OF = st.one_of(st.none(), st.builds(OfParameter, NAMES, st.integers(1, 10**9), st.text(max_size=5)))
FLAG_NAMES = st.lists(NAMES, max_size=3, unique=True).map(tuple)
TERMS = st.one_of(
    st.builds(Rate, st.integers(1, 1000), st.integers(1, 86_400_000), st.integers(1, 1000)),
    st.builds(Budget, st.integers(1, MOST_MICROS), st.sampled_from(["USD", "EUR"]), WINDOWS, OF),
    st.builds(Count, st.integers(1, MOST_COUNT), WINDOWS),
    st.builds(Distinct, NAMES, st.integers(1, 100), WINDOWS),
    st.builds(Concurrency, st.integers(1, 100), LENGTHS),
    st.builds(Flags, FLAG_NAMES, FLAG_NAMES, st.just(("x",)), LENGTHS),
)
REDACT = ({"kind": "redact"},)
LIMITS = st.dictionaries(
    NAMES,
    st.builds(
        Limit,
        st.just(""),
        st.text(max_size=5),
        NAMES,
        st.sampled_from(Per),
        st.sampled_from(Exceed),
        st.just(()),
        st.none(),
        TERMS,
    ),
    max_size=3,
)


def built(limits: dict[str, Limit]) -> dict[str, Limit]:
    return {
        name: replace(
            limit,
            id=name,
            obligations=REDACT if limit.on_exceed is Exceed.SANITIZE else (),
            approval=ApprovalTerms(("a",), 900.0, 1, (), (), 0.0, ApprovalProof.ANY, Unattended.QUEUE)
            if limit.on_exceed is Exceed.APPROVAL_NEEDED
            else None,
        )
        for name, limit in limits.items()
    }


@given(LIMITS)
def test_limits_survive_the_way_through_a_bundle(limits: dict[str, Limit]) -> None:
    whole = built(limits)
    assert limits_from_data(json.loads(json.dumps(limits_to_data(whole)))) == whole


def test_breakers_survive_the_way_through_a_bundle() -> None:
    scopes = {"acme/*/*": (Breaker("a", "p", 5, None, 60_000, 900_000), Breaker("b", "p", None, 1, 1, 2))}
    assert breakers_from_data(json.loads(json.dumps(breakers_to_data(scopes)))).by_scope == scopes


def limit(kind: str, **terms: Any) -> dict[str, Any]:
    terms = {"kind": kind, **terms}
    rest = {"policy": "p", "name": "n", "per": "agent", "on_exceed": "deny", "obligations": [], "approval": None}
    return {"l": {**rest, "terms": terms}}


DAY = {"period": "day", "zone": "UTC"}
ASKING = {**limit("count", most=1, window=DAY)["l"], "on_exceed": "approval_needed"}
BUDGET = {"amount": 5, "currency": "USD", "window": DAY, "of": None}


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {"": limit("count", most=1, window=DAY)["l"]},
        {"l": {**limit("count", most=1, window=DAY)["l"], "extra": 1}},
        {"l": {**limit("count", most=1, window=DAY)["l"], "per": "org"}},
        {"l": {**limit("count", most=1, window=DAY)["l"], "on_exceed": "allow"}},
        {"l": {**limit("count", most=1, window=DAY)["l"], "on_exceed": "sanitize"}},
        {"l": {**limit("count", most=1, window=DAY)["l"], "obligations": [{"kind": "redact"}]}},
        {"l": {**limit("count", most=1, window=DAY)["l"], "on_exceed": "approval_needed"}},
        {"l": {**limit("count", most=1, window=DAY)["l"], "approval": {"groups": [], "expires_in": 60}}},
        {"l": {**ASKING, "approval": {"groups": [], "expires_in": 0}}},
        {"l": {**ASKING, "approval": {"groups": [], "expires_in": True}}},
        {"l": {**ASKING, "approval": {"groups": [1], "expires_in": 60}}},
        {"l": {**ASKING, "approval": {"groups": [], "expires_in": 60, "approvals": 0}}},
        {"l": {**ASKING, "approval": {"groups": [], "expires_in": 60, "approvals": 6}}},
        {"l": {**ASKING, "approval": {"groups": [], "expires_in": 60, "confirm": [1]}}},
        {"l": {**ASKING, "approval": {"groups": [], "expires_in": 60, "notify": "x"}}},
        {"l": {**ASKING, "approval": {"groups": [], "expires_in": 60, "extra": 1}}},
        limit("odd"),
        limit("count", most=0, window=DAY),
        limit("count", most=-1, window=DAY),
        limit("count", most=1.0, window=DAY),
        limit("count", most=True, window=DAY),
        limit("count", most=MOST_COUNT + 1, window=DAY),
        limit("count", most=1, window={"length": 0}),
        limit("count", most=1, window={"length": MOST_WINDOW + 1}),
        limit("count", most=1, window={"period": "year", "zone": "UTC"}),
        limit("count", most=1, window={"period": "day", "zone": "Europe/Atlantis"}),
        limit("count", most=1, window={"period": "day", "zone": "../../etc/passwd"}),
        limit("count", most=1, window={"period": "day", "zone": ""}),
        limit("budget", **{**BUDGET, "currency": "dollars"}),
        limit("budget", **{**BUDGET, "amount": MOST_MICROS + 1}),
        limit("budget", **{**BUDGET, "of": {}}),
        limit("budget", **{**BUDGET, "of": {"parameter": "amount"}}),
        limit("budget", **{**BUDGET, "of": {"parameter": "", "micros": 1, "currency_parameter": ""}}),
        limit("rate", calls=1, per=0, burst=1),
        limit("rate", calls=1, per=1, burst=0),
        limit("distinct", parameter="p", most=10_001, window=DAY),
        limit("concurrency", most=1, life=0),
        limit("flags", sets=[], requires=[], unless=[], life=1),
        limit("flags", sets=["a b"], requires=[], unless=[], life=1),
        limit("flags", sets=["a", "a"], requires=[], unless=[], life=1),
        limit("flags", sets=[f"f{number}" for number in range(MOST_FLAGS + 1)], requires=[], unless=[], life=1),
    ],
)
def test_what_is_no_limit_is_refused(data: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        limits_from_data(data)


@pytest.mark.parametrize(
    "change",
    [
        {"refusals": None},
        {"refusals": 0},
        {"forbidden_domain": True},
        {"within": 0},
        {"quarantine": MOST_WINDOW + 1},
        {"id": ""},
        {"extra": 1},
    ],
)
def test_what_is_no_breaker_is_refused(change: dict[str, Any]) -> None:
    whole = {"id": "b", "policy": "p", "refusals": 5, "forbidden_domain": None, "within": 1, "quarantine": 1}
    breakers_from_data({"acme/*/*": [whole]})
    with pytest.raises(ValueError, match=r"."):
        breakers_from_data({"acme/*/*": [whole | change]})
    with pytest.raises(ValueError, match=r"."):
        breakers_from_data({"acme": [whole]})
