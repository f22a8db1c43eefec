"""Limits that never bind, that refuse every call, or that do not do what they say."""

from __future__ import annotations

import pytest

from tests.support.linting import TOOL, codes, document, findings, paying

PRICED = f"{TOOL}cost: {{fixed: 0.5, currency: USD}}\n"


def limited(more: str, tools: str = PRICED) -> list[str]:
    return codes(paying("max_amount: 5", more), tools)


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ("rate_limit: 1/min, count: 1501/day", "limit-never-binds"),
        ("rate_limit: 1/min, count: 1500/day", ""),
        ("rate_limit: 1/min, count: 1441/24h", "limit-never-binds"),
        ("rate_limit: 1/min, count: 1440/24h", ""),
        ("rate_limit: {calls: 1, per: minute, on_exceed: observe}, count: 5000/day", ""),
        ("rate_limit: [1/s, 2/s]", "limit-never-binds"),
        ("rate_limit: [1/s, {calls: 2, per: second, on_exceed: observe}]", "limit-never-binds"),
        ("rate_limit: [{calls: 1, per: second, on_exceed: observe}, 2/s]", ""),
        ("rate_limit: [1/s, 30/min]", ""),
        ("rate_limit: 100/s, count: 50/day", "rate-above-count"),
        ("rate_limit: 99/s, count: 50/day", ""),
        ("rate_limit: 50/s, count: 50/24h", "rate-above-count"),
        ("rate_limit: 100/s, count: {max: 50, per: day, on_exceed: observe}", ""),
        ("budget: [5 USD/day, 6 USD/day]", "limit-never-binds"),
        ("budget: [{amount: 5, currency: USD, per: day, on_exceed: approval_needed}, 6 USD/day]", ""),
        ("budget: [5 USD/day, 6 USD/month]", ""),
        ("count: [5/day, 6/day]", "limit-never-binds"),
        ("budget: 5 EUR/day", "currency-differs"),
        ("budget: [5 USD/day, {amount: 5, currency: EUR, per: day, of: {parameter: amount}}]", ""),
        ("requires: [x]", "flag-never-set"),
        ("unless: [x]", "flag-never-set"),
        ("sets: [x], unless: [x]", ""),
    ],
)
def test_a_limit_beside_another_is_told_where_it_cannot_do_what_it_says(more: str, code: str) -> None:
    assert limited(more) == ([code] if code else [])


def test_a_budget_of_costs_needs_a_price_of_every_action_it_is_about() -> None:
    assert limited("budget: 5 USD/day", TOOL) == ["budget-without-price"]
    entries = "allowed_tools:\n  - {name: stripe-payments, actions: [create_payment, refund]}\nlimits:\n  - {%s}\n"
    part = TOOL.replace("create_payment: {match: POST", "create_payment: {cost: {fixed: 1, currency: USD}, match: POST")
    assert codes(document(entries % "tools: [stripe-payments], budget: 5 USD/day"), part) == ["budget-without-price"]
    assert (
        codes(document(entries % "tools: [stripe-payments], actions: [create_payment], budget: 5 USD/day"), part) == []
    )
    assert codes(document(entries % "budget: 5 USD/day"), part) == ["budget-without-price"]
    assert codes(document(entries % "budget: 5 USD/day"), PRICED) == []


def test_a_limit_that_sanitizes_with_nothing_to_redact_is_an_error() -> None:
    (finding,) = findings(paying("max_amount: 5", "count: 5/day, on_exceed: sanitize"), PRICED)
    assert (finding.code, finding.severity) == ("exceed-without-redactions", "error")
    assert limited("count: 5/day, on_exceed: sanitize, sanitize: {response: {detectors: [us_ssn]}}") == []


def test_limits_of_a_document_that_only_observes_count_nothing() -> None:
    shadow = paying("max_amount: 5", "count: 5/day") + "mode: shadow\n"
    assert "limit-never-binds" in codes(shadow, PRICED)


def test_two_budgets_of_one_scope_are_in_one_currency() -> None:
    text = "allowed_tools:\n  - {name: stripe-payments, actions: [create_payment]}\nlimits:\n  - {budget: %s}\n"
    summed = "{amount: 5, currency: %s, per: day, of: {parameter: amount, currency_parameter: ccy}}"
    one, other = (document(text % (summed % code), more=f"name: {code.lower()}\n") for code in ("USD", "EUR"))
    assert codes(f"{one}---\n{other}") == ["currency-differs"]
    assert codes(f"{one}---\n{other.replace('EUR', 'USD')}") == []


def test_a_flag_that_another_document_sets_is_set() -> None:
    setting = document("limits:\n  - {sets: [x]}\n", agent='"*"')
    asking = paying("max_amount: 5", "requires: [x]")
    assert codes(f"{setting}---\n{asking}", PRICED) == []
