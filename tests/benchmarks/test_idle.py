from __future__ import annotations

import io

import pytest
from rich.console import Console

from benchmarks.contenders.lone_mesh import parts
from benchmarks.idle import shares, show, total
from benchmarks.measure.results import Idle


def printed(found: Idle) -> str:
    written = io.StringIO()
    show(Console(file=written, width=120), found)
    return written.getvalue()


def test_a_share_is_cpu_seconds_over_the_time_they_were_spent_in() -> None:
    found = shares({"opa": 1.0, "authz": 2.0}, {"opa": 1.03, "authz": 2.15}, 30.0)
    assert found == pytest.approx({"opa": 0.001, "authz": 0.005})


def test_workers_are_one_part() -> None:
    assert parts({"redis": 1, "authz-0": 2, "authz-1": 3}) == {"redis": (1,), "authz": (2, 3)}


def test_the_goal_is_met_below_one_percent_of_a_core_together() -> None:
    found = Idle(cores={"opa": 0.004, "authz": 0.005}, seconds=30)
    assert total(found) == pytest.approx(0.009)
    assert "together 0.90% of a core; goal, less than 1%: met" in printed(found)


def test_the_goal_is_missed_at_one_percent() -> None:
    assert "missed" in printed(Idle(cores={"opa": 0.004, "authz": 0.006}, seconds=30))
