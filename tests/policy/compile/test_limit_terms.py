"""How people are told of the terms of a limit."""

from __future__ import annotations

import pytest

from aegis_authz.core.limit import (
    Budget,
    CalendarWindow,
    Concurrency,
    Count,
    Distinct,
    Flags,
    OfParameter,
    Period,
    Rate,
    RollingWindow,
    Terms,
)
from aegis_authz.policy.compile.limit_terms import phrase, span

DAY = CalendarWindow(Period.DAY, "UTC")


@pytest.mark.parametrize(
    ("terms", "words"),
    [
        (Budget(500_000_000, "USD", DAY, None), "500.00 USD a day"),
        (
            Budget(250_000, "EUR", CalendarWindow(Period.MONTH, "Europe/Berlin"), None),
            "0.25 EUR a month of Europe/Berlin",
        ),
        (Budget(1, "EUR", RollingWindow(3_600_000), OfParameter("amount", 1, "")), "0.000001 EUR of amount in 1 hour"),
        (Rate(3, 1000, 3), "3 calls a second"),
        (Rate(1, 60_000, 5), "1 call a minute, 5 at once"),
        (Rate(10, 10_000, 10), "10 calls in 10 seconds"),
        (Count(100, CalendarWindow(Period.WEEK, "UTC")), "100 calls a week"),
        (Distinct("payee", 3, DAY), "3 different payee a day"),
        (Concurrency(2, 600_000), "2 calls at once"),
        (Flags(("a", "b"), (), (), 3_600_000), "sets a, b for 1 hour"),
        (Flags((), ("a",), ("b",), 1), "requires a; unless b"),
    ],
)
def test_terms_read_as_a_person_would_say_them(terms: Terms, words: str) -> None:
    assert phrase(terms) == words


def test_lengths_of_time_are_told_in_the_largest_unit_that_fits() -> None:
    assert [span(length) for length in (1000, 90_000, 5_400_000, 86_400_000, 604_800_000, 5)] == [
        *("1 second", "90 seconds", "90 minutes", "1 day", "7 days", "5 ms"),
    ]
