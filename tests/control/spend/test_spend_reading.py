"""Records are read for spend by one caller at a time."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

from aegis_authz.control.spend.spend_reading import SpendReader, visible_rows
from aegis_authz.core.units import Epoch, Monotonic, Seconds
from aegis_authz.evidence.spend import Dimension, SpendRow

BY = (Dimension.TENANT,)


class Hand:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def now(self) -> Epoch:
        return Epoch(self.at)

    def monotonic(self) -> Monotonic:
        return Monotonic(self.at)


class Records:
    """Counts how often it is read, and by how many at once at most."""

    def __init__(self) -> None:
        self.readings = 0
        self.most = 0
        self._now = 0
        self._lock = threading.Lock()

    def __call__(self, by: Sequence[Dimension], since: float) -> list[SpendRow]:
        with self._lock:
            self.readings += 1
            self._now += 1
            self.most = max(self.most, self._now)
        with self._lock:
            self._now -= 1
        return [SpendRow(("acme/emea",), "EUR", self.readings, 1, 0, 0)]


async def test_a_reading_is_used_again_for_as_long_as_the_caller_is_content_with() -> None:
    clock, records = Hand(), Records()
    reader = SpendReader(records, clock)
    assert (await reader.summary(BY, 0.0, Seconds(15.0), "ann", tuple))[0].calls == 1
    clock.at = 15.0
    assert (await reader.summary(BY, 0.0, Seconds(15.0), "ann", tuple))[0].calls == 1
    assert (await reader.summary(BY, 1.0, Seconds(15.0), "ann", tuple))[0].calls == 2, (
        "another question is another reading"
    )
    assert (await reader.summary(BY, 1.0, Seconds(0.0), "ann", tuple))[0].calls == 2
    clock.at = 30.1
    assert (await reader.summary(BY, 1.0, Seconds(15.0), "ann", tuple))[0].calls == 3


async def test_nobody_reads_while_another_does() -> None:
    clock, records = Hand(), Records()
    reader = SpendReader(records, clock)
    await asyncio.gather(
        *(reader.summary(BY, float(number), Seconds(0.0), f"reader {number}", tuple) for number in range(8))
    )
    assert (records.readings, records.most) == (8, 1)


async def test_whoever_asks_for_many_readings_keeps_nobody_else_waiting() -> None:
    order, end = list[float](), threading.Event()

    def spend(by: Sequence[Dimension], since: float) -> list[SpendRow]:
        order.append(since)
        assert end.wait(30)
        return []

    reader = SpendReader(spend, Hand())
    many = [asyncio.create_task(reader.summary(BY, float(number), Seconds(0.0), "ann", tuple)) for number in range(20)]
    while not order:
        await asyncio.sleep(0)
    bob = asyncio.create_task(reader.summary(BY, 100.0, Seconds(0.0), "bob", tuple))
    while "bob" not in reader._turns._waiting:
        await asyncio.sleep(0)
    end.set()
    await asyncio.gather(bob, *many)
    assert order.index(100.0) <= 2


async def test_what_is_made_of_very_many_rows_holds_up_nobody() -> None:
    begun, end = threading.Event(), threading.Event()

    def count(rows: Sequence[SpendRow]) -> int:
        begun.set()
        assert end.wait(30)
        return len(rows)

    work = asyncio.create_task(SpendReader(Records(), Hand()).summary(BY, 0.0, Seconds(0.0), "ann", count))
    while not begun.is_set():
        await asyncio.sleep(0)
    end.set()
    assert await work == 1


def test_rows_of_tenants_that_may_not_be_seen_are_left_out() -> None:
    rows = [SpendRow((tenant,), "EUR", 1, 1, 0, 0) for tenant in ("acme/emea", "acme/apac", "")]
    shown = visible_rows(rows, lambda org, tenant: (org, tenant) == ("acme", "emea"))
    assert [row.key for row in shown] == [("acme/emea",)]
