"""Time windows as Rego compares them."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from aegis_authz.policy.compile.time_windows import time_checks, window_text
from aegis_authz.policy.language.values import TimeRule, TimeWindow


def compiled(window: dict[str, Any]) -> Any:
    (check,) = time_checks(TimeRule.model_validate({"within": [window]}), ())
    return check.compiled["windows"][0]  # type: ignore[index]


def test_an_empty_window_is_always() -> None:
    assert compiled({}) == {
        "zone": "UTC",
        "weekdays": ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"],
        "from": 0,
        "to": 1440,
        "first": "0000-01-01",
        "last": "9999-12-31",
        "holidays": [],
    }


def test_hours_are_minutes_of_the_day_and_days_are_spelt_out() -> None:
    window = compiled(
        {
            "zone": "Europe/Berlin",
            "weekdays": ["fri", "mon"],
            "hours": "09:30-24:00",
            "from": "2026-01-02",
            "until": "2026-02-01",
            "holidays": ["2026-01-06", "2026-01-05"],
        }
    )
    assert (window["from"], window["to"], window["weekdays"]) == (570, 1440, ["Monday", "Friday"])
    assert (window["first"], window["last"]) == ("2026-01-02", "2026-02-01")
    assert window["holidays"] == ["2026-01-05", "2026-01-06"]


def test_a_window_is_shown_by_its_name_or_its_words() -> None:
    assert window_text(TimeWindow.model_validate({"name": "office-hours", "hours": "09:00-17:00"})) == "office-hours"
    words = {"weekdays": ["mon", "tue"], "hours": "09:00-17:00", "from": "2026-01-01"}
    assert window_text(TimeWindow.model_validate(words)) == "mon,tue 09:00-17:00 2026-01-01.. UTC"


@pytest.mark.parametrize(
    "window",
    [
        {"zone": "Mars/Olympus"},
        {"zone": "CET"},
        {"hours": "9-17"},
        {"hours": "22:00-06:00"},
        {"hours": "09:00-09:00"},
        {"hours": "09:60-10:00"},
        {"hours": "09:00-24:01"},
        {"weekdays": ["monday"]},
        {"weekdays": []},
        {"weekdays": ["mon", "mon"]},
        {"from": "2026-02-30"},
        {"from": "1.1.2026"},
        {"from": "2026-02-01", "until": "2026-01-31"},
        {"holidays": ["christmas"]},
        {"hour": "09:00-17:00"},
    ],
)
def test_a_window_that_cannot_be_meant_is_refused(window: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TimeWindow.model_validate(window)
