"""Money is exact, or refused."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.refused import Refused
from aegis_authz.limits.money import micros_of


@pytest.mark.parametrize(
    ("value", "worth", "micros"),
    [
        (5, 1_000_000, 5_000_000),
        (0.1, 1_000_000, 100_000),
        (4999.99, 1_000_000, 4_999_990_000),
        (499_999, 10_000, 4_999_990_000),
        (1e-7, 1_000_000, 1),
        (0.30000000000000004, 1_000_000, 300_001),
        (4_000_000_000, 1_000_000, 4_000_000_000_000_000),
    ],
)
def test_an_amount_is_charged_to_the_micro_unit(value: Any, worth: int, micros: int) -> None:
    assert micros_of(value, worth, "amount") == micros


@pytest.mark.parametrize(
    "value",
    [0, 0.0, -0.0, -1, -0.01, 4_000_000_001, 1e300, float("inf"), float("nan"), "5", "", None, True, [], {"a": 1}],
)
def test_what_is_no_amount_is_refused(value: Any) -> None:
    with pytest.raises(Refused, match="amount"):
        micros_of(value, 1_000_000, "amount")


@given(st.floats(min_value=1e-9, max_value=1e9), st.sampled_from([1, 10_000, 1_000_000]))
def test_a_part_of_a_micro_unit_counts_as_a_whole_one(amount: float, worth: int) -> None:
    exact = (Decimal(repr(amount)) * worth).to_integral_value(ROUND_CEILING)
    assert micros_of(amount, worth, "amount") == int(exact)


@given(st.decimals(min_value=Decimal("0.000001"), max_value=10**8, places=6))
def test_an_amount_with_six_places_is_never_rounded(amount: Decimal) -> None:
    assert micros_of(float(amount), 1_000_000, "amount") == int(amount * 1_000_000)
