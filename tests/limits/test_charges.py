"""What calls use of their limits."""

from __future__ import annotations

from typing import Any

import pytest

from aegis_authz.core.charge import Marks, Member, Pace, Rolling, Slot, Sum, since_of
from aegis_authz.core.limit import (
    MOST_WINDOW,
    Budget,
    Concurrency,
    Count,
    Distinct,
    Exceed,
    Flags,
    Limit,
    OfParameter,
    Per,
    Rate,
    RollingWindow,
    Terms,
)
from aegis_authz.core.money import Money
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.limits.charges import Sessions, charges_by, charges_of, resolved, sheet_of

BOT = Scope("acme", "emea", "bot")
NOBODY = Sessions("", "", "")
ROLLING = RollingWindow(60_000)


def limit(terms: Terms, per: Per = Per.AGENT) -> Limit:
    return Limit("l", "p", "n", per, Exceed.DENY, (), None, terms)


def measure(terms: Terms, sessions: Sessions = NOBODY, cost: Money | None = None, **parameters: Any) -> Any:
    (charge,) = charges_of([limit(terms)], parameters, BOT, sessions, cost, 1000.5)
    return charge.measure


def test_each_kind_of_limit_has_its_measure() -> None:
    assert measure(Rate(3, 1000, 2)) == Pace(3, 1000, 2, 1)
    assert measure(Count(3, ROLLING)) == Sum(1, 3, Rolling(60_000), is_cost=False)
    assert measure(Concurrency(3, 5)) == Slot(3, 5)
    assert measure(Budget(9, "USD", ROLLING, None), cost=Money(4, "USD")) == Sum(4, 9, Rolling(60_000), is_cost=True)
    paid = Budget(9, "USD", ROLLING, OfParameter("amount", 10_000, ""))
    assert measure(paid, amount=2.5) == Sum(25_000, 9, Rolling(60_000), is_cost=False)


def test_the_account_is_that_of_the_agent_or_of_its_tenant() -> None:
    limits = [limit(Rate(1, 1, 1)), limit(Rate(1, 1, 1), Per.TENANT)]
    assert [charge.holder for charge in charges_of(limits, {}, BOT, NOBODY, None, 0)] == ["acme/emea/bot", "acme/emea"]


def test_a_charge_says_since_when_nothing_may_be_forgotten() -> None:
    kinds: list[Terms] = [Count(1, ROLLING), Concurrency(1, 500), Rate(1, 1000, 2), Flags(("a",), (), ("b",), 100)]
    kinds.append(Flags(("a",), ("b",), (), 100))
    charges = charges_of([limit(kind) for kind in kinds], {}, BOT, NOBODY, None, 1000.0)
    sinces = [since_of(charge.measure, 1_000_000) for charge in charges]
    # a flag may have been set by another limit, for as long as any is: this one's own life says nothing of it
    assert sinces == [940_000, 999_500, 997_999, 1_000_000 - MOST_WINDOW, 1_000_000]


def test_a_list_is_no_way_to_name_many_values_as_one() -> None:
    terms = Distinct("to", 3, ROLLING)
    single, many = measure(terms, to="a"), measure(terms, to=["a", "b", "a"])
    assert isinstance(many, Member)
    assert len(many.values) == 2
    assert single.values[0] in many.values
    assert measure(terms, to=1).values != measure(terms, to="1").values


@pytest.mark.parametrize("value", [[], [["a"]], {"a": 1}, None, [None], list(range(101))])
def test_what_is_no_plain_value_cannot_be_told_apart(value: Any) -> None:
    with pytest.raises(Refused, match="to"):
        measure(Distinct("to", 3, ROLLING), to=value)


def test_the_session_is_the_header_then_that_of_mcp_then_that_of_the_token() -> None:
    flags = Flags(("a",), ("b",), (), 5)
    names = [measure(flags, Sessions(*sessions)) for sessions in (("h", "m", "t"), ("", "m", "t"), ("", "", "t"))]
    assert all(isinstance(name, Marks) for name in names)
    assert len({name.session for name in names}) == 3
    assert {name.attested for name in names} == {names[2].session}
    assert measure(flags).session == measure(flags).attested == ""


def test_money_of_another_currency_is_never_free() -> None:
    paid = Budget(9, "USD", ROLLING, OfParameter("amount", 1_000_000, "currency"))
    assert measure(paid, amount=1, currency="usd").amount == 1_000_000
    for currency in ("EUR", 5, None, ""):
        with pytest.raises(Refused, match="currency"):
            measure(paid, amount=1, currency=currency)
    with pytest.raises(Refused, match="currency"):
        measure(paid, amount=1)
    with pytest.raises(Refused, match="EUR"):
        measure(Budget(9, "USD", ROLLING, None), cost=Money(4, "EUR"))
    with pytest.raises(Refused, match="no price"):
        measure(Budget(9, "USD", ROLLING, None))


def test_a_limit_that_is_not_there_is_refused() -> None:
    assert resolved(["l"], {"l": limit(Rate(1, 1, 1))})[0].id == "l"
    with pytest.raises(Refused, match="gone"):
        resolved(["gone"], {})


def test_a_batch_is_as_many_calls_to_what_counts_calls_and_one_under_way() -> None:
    terms = [
        Rate(3, 1000, 5),
        Count(9, ROLLING),
        Concurrency(3, 5),
        Budget(9, "USD", ROLLING, None),
        Distinct("to", 3, ROLLING),
    ]
    sheet = sheet_of([limit(kind) for kind in terms], BOT, 1000)
    cost = Money(4, "USD")
    alone, three = (charges_by(sheet, {"to": "a"}, NOBODY, cost, batch) for batch in (1, 3))
    assert three[0].measure == Pace(3, 1000, 5, 3)
    assert three[1].measure == Sum(3, 9, Rolling(60_000), is_cost=False)
    assert [charge.measure for charge in three[2:]] == [charge.measure for charge in alone[2:]]
