"""What a settle costs is measured against a real Redis."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from benchmarks.settle import Cost, lone_store, measure, show


async def test_a_settle_is_measured_with_limits_and_without(tmp_path: Path) -> None:
    async with lone_store(tmp_path) as (store, redis):
        costs = await measure(store, redis, 1)
    assert all(cost.worker > 0 and cost.redis > 0 for cost in costs.values())
    assert costs[True].total > costs[False].total


def test_what_limits_add_is_told_as_so_many_times() -> None:
    console = Console(width=100, record=True)
    show(console, {False: Cost(30.0, 10.0), True: Cost(40.0, 20.0)})
    text = console.export_text()
    assert "with a rate, a budget and a count" in text
    assert "1.50 times" in text
