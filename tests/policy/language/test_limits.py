"""The words of limits: what is taken, in short and in full, and what is said of everything else."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from aegis_authz.policy.language.limits import BudgetLimit, Limited, RateLimit, seconds_of
from aegis_authz.policy.load import load
from aegis_authz.policy.source.problems import PolicyErrors, Problem

TOOLS = {"t.yaml": "tool: bank\nhost: bank.example\nmcp: {}\n"}
RULE = "agent: a\nallowed_tools:\n  - name: bank\n    actions: [pay]\n"


def rule(member: str) -> Limited:
    """A rule with one more member, as it is read."""
    (document,) = load({"p.yaml": f"{RULE}    {member}\n"}, TOOLS).policies
    return document.allowed_tools[0]


def problem(member: str) -> Problem:
    with pytest.raises(PolicyErrors) as caught:
        rule(member)
    (only,) = caught.value.problems
    return only


@pytest.mark.parametrize(
    ("short", "full"),
    [
        ("budget: 500 USD/day", "budget: {amount: 500, currency: USD, per: day}"),
        ("budget: 0.25 EUR/24h", "budget: {amount: 0.25, currency: EUR, per: 24h}"),
        ("budget: [5 USD/hour, 50 USD/month]", "budget: [{amount: 5, currency: USD, per: hour}, 50 USD/month]"),
        ("rate_limit: 3/s", "rate_limit: {calls: 3, per: second}"),
        ("rate_limit: 3/second", "rate_limit: {calls: 3, per: second}"),
        ("rate_limit: 100/min", "rate_limit: {calls: 100, per: minute}"),
        ("rate_limit: 1000/h", "rate_limit: {calls: 1000, per: hour}"),
        ("count: 100/day", "count: {max: 100, per: day}"),
        ("count: 100/7d", "count: [{max: 100, per: 7d}]"),
        ("concurrency: 2", "concurrency: {max: 2}"),
        ("sets: [seen]", "sets: {flags: [seen]}"),
        ("requires: [seen]", "requires: {flags: [seen], else: deny}"),
        ("unless: [seen]", "unless: {flags: [seen]}"),
    ],
)
def test_a_short_form_says_the_same_as_the_full_one(short: str, full: str) -> None:
    def words(member: str) -> dict[str, Any]:
        return rule(member).model_dump()

    assert words(short) == words(full)


def test_amounts_are_decimals_to_the_letter() -> None:
    for text in ("0.1", "0.000001", "123456789.123456", "4000000000", "1.10"):
        (budget,) = rule(f"budget: {{amount: {text}, currency: USD, per: day}}").budget or ()
        assert isinstance(budget, BudgetLimit)
        assert budget.amount == Decimal(text) * 1_000_000


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("amount", "message"),
    [
        ("0", "must be more than 0 and at most 4000000000"),
        ("-5", "must be more than 0 and at most 4000000000"),
        ("-0.5", "must be more than 0 and at most 4000000000"),
        ("4000000000.5", "must be more than 0 and at most 4000000000"),
        ("99999999999999999", "must be more than 0 and at most 4000000000"),
        ("0.1234567", "must have at most 6 decimals"),
        ('"500"', "must be a number such as 500 or 0.25"),
        ("five", "must be a number such as 500 or 0.25"),
        ("true", "must be a number such as 500 or 0.25"),
    ],
)
def test_an_amount_that_cannot_be_is_refused_at_its_place(amount: str, message: str, whole: bool) -> None:
    member = (
        f"budget: {{amount: {amount}, currency: USD, per: day}}"
        if whole
        else f"budget: {amount.strip(chr(34))} USD/day"
    )
    if not whole and amount == '"500"':
        return
    wrong = problem(member)
    assert message in wrong.message
    assert (wrong.path, wrong.line, wrong.field) == ("p.yaml", 5, f"allowed_tools[0].budget{'.amount' * whole}")


@pytest.mark.parametrize(
    ("member", "field", "message"),
    [
        ("budget: 500", "budget", "must say of which currency and in which time, such as 500 USD/day"),
        ("budget: $500/day", "budget", "'$500/day' is not an amount, a currency and a window, such as 500 USD/day"),
        (
            "budget: 500 usd/day",
            "budget",
            "'usd' is not a currency of ISO 4217, such as USD or EUR; did you mean 'USD'?",
        ),
        ("budget: {amount: 5, currency: XXX, per: day}", "budget.currency", "is not a currency of ISO 4217"),
        ("budget: {amount: 5, currency: BTC, per: day}", "budget.currency", "is not a currency of ISO 4217"),
        ("budget: 5 USD/days", "budget", "did you mean 'day'?"),
        ("budget: {amount: 5, currency: USD, per: 0h}", "budget.per", "nor a duration such as 90m, 24h or 7d"),
        ("budget: {amount: 5, currency: USD, per: 401d}", "budget.per", "nor a duration such as 90m, 24h or 7d"),
        ("budget: {amount: 5, currency: USD, per: day, zone: Berlin}", "budget.zone", "is not a time zone"),
        ("budget: {amount: 5, currency: USD, per: 24h, zone: UTC}", "budget", "zone is about a window of the calendar"),
        ("budget: {amount: 5, currency: USD, per: day, of: price}", "budget.of", "must be 'cost'"),
        ("budget: {amount: 5, currency: USD, per: day, of: {parameter: /a}}", "budget.of.parameter", "by its name"),
        ("budget: []", "budget", "must not be empty"),
        ("rate_limit: 3", "rate_limit", "must say in which time, such as 3/s"),
        ("rate_limit: 0/s", "rate_limit", "must be more than 0 and at most 1000000"),
        ("rate_limit: 2.5/s", "rate_limit", "is not a number of calls and a time, such as 3/s"),
        ("rate_limit: 3/fortnight", "rate_limit", "is not a number of calls and a time, such as 3/s"),
        ("rate_limit: {calls: 3, per: seconds}", "rate_limit.per", "did you mean 'second'?"),
        ("rate_limit: {calls: 3, per: 2d}", "rate_limit.per", "a rate is spread over a day at most"),
        ("rate_limit: {calls: 3.5, per: second}", "rate_limit.calls", "must be a whole number"),
        ("rate_limit: {calls: 3, per: second, burst: 0}", "rate_limit.burst", "must be more than 0"),
        ("count: 5", "count", "must say in which time, such as 100/day"),
        ("count: {max: -1, per: day}", "count.max", "must be more than 0"),
        ("count: {max: 1000000001, per: day}", "count.max", "at most 1000000000"),
        ("distinct: {parameter: payee, max: 10001, per: day}", "distinct.max", "at most 10000"),
        ("distinct: {max: 3, per: day}", "distinct.parameter", "is required"),
        ("concurrency: 0", "concurrency", "must be more than 0"),
        ("concurrency: {max: 2, life: forever}", "concurrency.life", "is not a duration such as 30s"),
        ("sets: []", "sets", "must not be empty"),
        ("sets: [Seen]", "sets", "must be lower-case letters"),
        ("requires: {flags: [a], else: sanitize}", "requires.else", "must be 'deny' or 'approval_needed'"),
        ("on_exceed: refuse", "on_exceed", "must be 'deny', 'approval_needed', 'sanitize' or 'observe'"),
        ("on_exceed: observe", "on_exceed", "nothing in this rule is limited"),
        ("per: agent", "per", "nothing in this rule is limited"),
        ("budget: {amount: 1, currency: USD, per: day, on_exceed: allow}", "budget.on_exceed", "must be 'deny'"),
    ],
)
def test_a_limit_that_cannot_be_meant_is_refused_at_its_place(member: str, field: str, message: str) -> None:
    wrong = problem(member)
    assert message in wrong.message
    assert wrong.field.startswith(f"allowed_tools[0].{field}")
    assert (wrong.path, wrong.line) == ("p.yaml", 5)


def test_a_rate_is_as_long_as_its_unit_says_and_bursts_as_high_as_it_is_unless_it_says_otherwise() -> None:
    def rate(member: str) -> RateLimit:
        (only,) = rule(f"rate_limit: {member}").rate_limit or ()
        return only

    assert [rate(text).seconds for text in ("1/s", "1/min", "1/hour", "1/d")] == [1, 60, 3600, 86400]
    assert rate("{calls: 3, per: 10s}").seconds == 10
    assert rate("{calls: 3, per: 10s}").burst is None


def test_durations_have_units() -> None:
    assert [seconds_of(text) for text in ("30s", "15m", "24h", "7d", "400d")] == [30, 900, 86400, 604800, 34560000]
    for text in ("", "5", "h", "1.5h", "1w", "-1h", "01h", "401d"):
        with pytest.raises(ValueError, match="is not a duration"):
            seconds_of(text)
