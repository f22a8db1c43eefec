"""Marks of axes: round, within, and around all values."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.dashboards.axes import time_axis, value_axis


def test_values_have_round_marks_from_nothing() -> None:
    axis = value_axis([3.2, 17.0], 5)
    assert (axis.low, axis.high, axis.marks) == (0.0, 20.0, (0.0, 5.0, 10.0, 15.0, 20.0))


def test_where_nothing_is_but_zero_the_axis_is_not_empty() -> None:
    assert value_axis([0.0], 3).marks == (0.0, 0.5, 1.0)


@given(st.lists(st.floats(-1e12, 1e12).map(lambda value: 0.0 if abs(value) < 1e-9 else value), min_size=1))
def test_every_value_is_on_its_axis(values: list[float]) -> None:
    axis = value_axis(values, 5)
    assert all(-1e-6 <= axis.share(value) <= 1 + 1e-6 for value in values)
    assert 2 <= len(axis.marks) <= 8


def test_times_have_marks_at_full_minutes_and_hours() -> None:
    axis = time_axis(1_800_000_123.0, 1_800_003_723.0, 5)
    assert [mark % 900 for mark in axis.marks] == [0.0] * len(axis.marks) and len(axis.marks) == 4
    assert len(time_axis(0.0, 40 * 86_400.0, 5).marks) <= 6
