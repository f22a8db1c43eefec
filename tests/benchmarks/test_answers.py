"""What judging costs with a memory and without is measured against a real OPA."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.answers import KINDS, judging_opa, measure, show


@pytest.mark.usefixtures("opa_binary")
async def test_judging_is_measured_for_calls_that_come_again_and_for_those_that_never_do(tmp_path: Path) -> None:
    async with judging_opa(tmp_path, 2) as (socket, opa):
        costs = await measure(socket, opa, 1)
    assert set(costs) == {(kind, is_remembered) for kind in KINDS for is_remembered in (False, True)}
    assert all(own > 0 for own, _ in costs.values())
    assert sum(costs["two calls", True]) < sum(costs["two calls", False])


def test_what_it_costs_is_told_for_each_kind() -> None:
    console = Console(width=100, record=True)
    show(console, {("two calls", False): (40.0, 110.0), ("two calls", True): (15.0, 0.5)})
    text = console.export_text()
    assert "asked for" in text
    assert "15.5" in text
