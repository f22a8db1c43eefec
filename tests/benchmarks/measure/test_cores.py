"""Cores: the load has one of its own where there are two, and what is started there stays there."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from benchmarks.measure.cores import Placement, on, placement_of


def cores_of_a_child() -> set[int]:
    child = subprocess.run(
        [sys.executable, "-c", "import os; print(*os.sched_getaffinity(0))"], capture_output=True, text=True, check=True
    )
    return set(map(int, child.stdout.split()))


@pytest.mark.parametrize(
    ("cores", "load", "measured", "text"),
    [
        ([0, 1], {0}, {1}, "2, load generator and tool on number 0, contenders on number 1"),
        ([5, 2, 3], {2}, {3, 5}, "3, load generator and tool on number 2, contenders on number 3 and 5"),
        ([7], {7}, {7}, "1, of load generator, tool and contenders"),
    ],
)
def test_the_load_has_the_first_core_where_there_is_another(
    cores: list[int], load: set[int], measured: set[int], text: str
) -> None:
    placement = placement_of(cores)
    assert placement == Placement(frozenset(load), frozenset(measured))
    assert str(placement) == text


def test_what_is_started_runs_where_it_was_placed_and_who_starts_it_goes_back() -> None:
    before = os.sched_getaffinity(0)
    last = max(before)
    with on({last}):
        assert cores_of_a_child() == {last}
    assert os.sched_getaffinity(0) == before
