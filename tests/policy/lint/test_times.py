"""Windows without a moment, at ten o'clock UTC of 2026-03-02, a Monday."""

from __future__ import annotations

import pytest

from tests.support.linting import codes, findings, paying


def _within(window: str, word: str = "within") -> str:
    return paying(f"context: {{time: {{{word}: [{window}]}}}}")


@pytest.mark.parametrize(
    "window",
    [
        "{until: 2026-03-01}",
        "{weekdays: [sun], from: 2026-03-02, until: 2026-03-07}",
        "{from: 2026-12-25, until: 2026-12-26, holidays: [2026-12-25, 2026-12-26]}",
    ],
)
def test_a_window_without_a_moment_is_told(window: str) -> None:
    assert codes(_within(window)) == ["time-never"]


@pytest.mark.parametrize(
    "window",
    [
        "{until: 2026-03-02}",
        "{from: 2030-01-01}",
        "{weekdays: [sun], from: 2026-03-02, until: 2026-03-08}",
        "{from: 2026-12-25, until: 2026-12-27, holidays: [2026-12-25, 2026-12-26]}",
        "{weekdays: [mon], from: 2020-01-01, until: 9999-12-31}",
    ],
)
def test_a_window_that_is_open_once_is_fine(window: str) -> None:
    assert codes(_within(window)) == []


def test_the_day_is_that_of_the_window() -> None:
    assert codes(_within("{zone: Pacific/Kiritimati, until: 2026-03-02}")) == ["time-never"]
    assert codes(_within("{zone: Pacific/Honolulu, until: 2026-03-02}")) == []


def test_an_exclusion_that_is_over_is_told() -> None:
    (finding,) = findings(_within("{until: 2020-01-01}", "not_within"))
    assert "excludes nothing" in finding.problem.message


def test_a_defined_window_is_told_once_and_where_it_is_defined() -> None:
    define = "define: {time_windows: {pilot: {until: 2020-01-01}, now: {}}}\n---\n"
    (finding,) = findings(define + _within("pilot, now") + "---\n" + _within("pilot").replace("payer", "other"))
    assert (finding.code, finding.problem.field) == ("time-never", "define.time_windows.pilot")
