"""Values in Grafana's units."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.units import Epoch
from aegis_authz.dashboards.units import time_text, value_text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0, "short", "0"),
        (1234.0, "short", "1.23 K"),
        (0.00417, "short", "0.00417"),
        (-2.5, "short", "-2.5"),
        (0.5432, "percentunit", "54.3 %"),
        (0.0042, "s", "4.2 ms"),
        (0.0000042, "s", "4.2 µs"),
        (42.0, "s", "42 s"),
        (5400.0, "s", "1.5 hours"),
        (0.0, "s", "0 s"),
        (3 * 1024.0**2, "bytes", "3 MiB"),
        (12.0, "reqps", "12 req/s"),
        (0.25, "cps", "0.25 c/s"),
        (7.0, "furlongs", "7"),
        (math.inf, "s", "∞"),
    ],
)
def test_a_value_is_written_as_short_as_it_can_be_read(value: float, unit: str, text: str) -> None:
    assert value_text(value, unit) == text


@given(
    st.floats(allow_nan=False, width=32),
    st.sampled_from(["short", "percentunit", "s", "bytes", "reqps", "cps"]),
)
def test_every_value_has_a_text(value: float, unit: str) -> None:
    assert value_text(value, unit)


def test_a_time_is_of_the_clock_within_a_day_and_of_the_calendar_beyond() -> None:
    assert time_text(Epoch(1_800_000_000.0), 3600.0) == "08:00"
    assert time_text(Epoch(1_800_000_030.0), 120.0) == "08:00:30"
    assert time_text(Epoch(1_800_000_000.0), 90_000.0) == "01-15 08:00"
