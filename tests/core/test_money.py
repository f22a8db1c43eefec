"""Money: exact, whole, of a known currency."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.limit import MOST_MICROS
from aegis_authz.core.money import MICRO, Money, decimal_text, exact, micros_of


@pytest.mark.parametrize(
    ("number", "micros"), [(0, 0), (0.1, 100_000), (0.002, 2_000), (1e-6, 1), (500, 500 * MICRO), (4e9, MOST_MICROS)]
)
def test_an_amount_is_exact(number: float, micros: int) -> None:
    assert micros_of(number) == micros


@pytest.mark.parametrize(
    "number",
    [-1, -0.01, 1e-7, 0.1234567, 4_000_000_001, 1e300, 10**30, float("nan"), float("inf"), True, "1", None, [1]],
)
def test_what_is_no_amount_is_refused(number: object) -> None:
    with pytest.raises(ValueError):
        micros_of(number)


@given(st.integers(0, 10**14))
def test_an_amount_reads_back_as_it_is_written(micros: int) -> None:
    text = decimal_text(micros)
    assert Decimal(text) * MICRO == micros
    assert micros_of(float(text)) == micros


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_the_decimal_that_it_is_written_as(number: float) -> None:
    assert exact(number) == Fraction(Decimal(repr(number)))


def test_money_has_a_currency_of_iso_4217() -> None:
    assert str(Money(1_250_000, "EUR")) == "1.25 EUR"
    for micros, currency in ((-1, "EUR"), (MOST_MICROS + 1, "EUR"), (1, "eur"), (1, "XXX"), (True, "EUR")):
        with pytest.raises(ValueError):
            Money(micros, currency)
