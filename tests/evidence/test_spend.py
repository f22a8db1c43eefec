"""What was spent, from records: each call once, at what it cost in the end, else at its estimate."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.effect import Effect
from aegis_authz.core.money import Money
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import CostState, DecisionRecord, OutcomeRecord, Record, SettledCost, UsageRecord
from aegis_authz.evidence.spend import Dimension, SpendRow, spend_rows
from tests.support.made_records import DENIED, named

TOOL = (Dimension.TOOL,)
NOON = 1_800_000_000.0


def call(decision_id: str, micros: int = 100, currency: str = "USD", **changes: object) -> DecisionRecord:
    allowed = replace(DENIED, effect=Effect.ALLOW, reason=Reason.ALLOWED, time=NOON, decision_id=decision_id)
    return replace(allowed, cost=Money(micros, currency), **changes)  # type: ignore[arg-type]


def outcome(decision_id: str, micros: int, state: CostState) -> OutcomeRecord:
    cost = SettledCost(Money(micros, "USD"), state)
    return OutcomeRecord(decision_id, NOON, 200, "via_upstream", (), True, 1, 2, 3.0, 4.0, cost)


def usage(decision_id: str, micros: int, state: CostState = CostState.MEASURED) -> UsageRecord:
    return UsageRecord(decision_id, NOON, (1, 0, 0, 1), SettledCost(Money(micros, "USD"), state))


def test_a_call_costs_what_it_was_charged_in_the_end_in_whatever_order_its_records_come() -> None:
    records: list[Record] = [
        *(call(name) for name in ("kept", "back", "model", "silent", "lost")),
        outcome("kept", 100, CostState.KEPT),
        outcome("back", 0, CostState.RELEASED),
        outcome("model", 100, CostState.ESTIMATED),
        outcome("silent", 100, CostState.ESTIMATED),
        usage("model", 42),
        usage("silent", 100, CostState.ESTIMATED),
    ]
    expected = [SpendRow(("stripe-payments",), "USD", 5, 342, 200, 1)]
    assert spend_rows(records, TOOL, 0) == expected
    assert spend_rows(reversed(records), TOOL, 0) == expected


@given(st.permutations([call("a"), outcome("a", 7, CostState.KEPT), outcome("a", 7, CostState.KEPT), call("a")]))
def test_a_call_counts_once_however_often_its_records_are_told(records: list[Record]) -> None:
    assert spend_rows(records, TOOL, 0) == [SpendRow(("stripe-payments",), "USD", 1, 7, 0, 0)]


def test_the_first_word_on_a_call_stands() -> None:
    first, second = outcome("a", 0, CostState.RELEASED), outcome("a", 100, CostState.KEPT)
    assert [spend_rows([call("a"), *order], TOOL, 0)[0].micros for order in permutations((first, second))] == [0, 100]


def test_what_was_refused_held_or_has_no_price_costs_nothing() -> None:
    held = call("h", effect=Effect.APPROVAL_NEEDED, reason=Reason.APPROVAL_NEEDED)
    denied = call("d", effect=Effect.DENY, reason=Reason.POLICY_DENIED)
    assert spend_rows([held, denied, replace(call("f"), cost=None), outcome("x", 5, CostState.KEPT)], TOOL, 0) == []


def test_spend_is_by_whatever_was_chosen_and_currencies_stay_apart() -> None:
    records = [
        call("a", 1),
        call("b", 2, "EUR"),
        call("c", 4, identity=named("other")),
        call("d", 8, tool="search"),
        call("e", 16, time=NOON + 86_400),
    ]
    by_agent = spend_rows(records, (Dimension.AGENT,), 0)
    assert [(row.key, row.currency, row.micros) for row in by_agent] == [
        (("acme/emea/finance-agent",), "EUR", 2),
        (("acme/emea/finance-agent",), "USD", 25),
        (("acme/emea/other",), "USD", 4),
    ]
    by_day = spend_rows(records, (Dimension.TENANT, Dimension.DAY), NOON + 1)
    assert [(row.key, row.micros) for row in by_day] == [(("acme/emea", "2027-01-16"), 16)]
