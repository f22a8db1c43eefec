"""Turns; that publications take them is in test_trials.py."""

from __future__ import annotations

import asyncio
import gc

import pytest

from aegis_authz.control.policies.turns import TurnMissed, Turns
from aegis_authz.core.units import Seconds


async def nothing() -> None:
    """Work that is over at once."""


async def test_the_next_turn_is_another_persons_and_whoever_waits_too_long_misses_it() -> None:
    turns, order = Turns(Seconds(30.0)), list[str]()
    begun, end = asyncio.Event(), asyncio.Event()

    async def take(name: str) -> None:
        order.append(name)
        if name == "ann 1":
            begun.set()
            await end.wait()

    first = asyncio.create_task(turns.run("ann", lambda: take("ann 1")))
    await begun.wait()
    more = [asyncio.create_task(turns.run("ann", lambda: take("ann, later"))) for _ in range(2)]
    bob = asyncio.create_task(turns.run("bob", lambda: take("bob")))
    while len(turns._waiting) < 2:
        await asyncio.sleep(0)
    end.set()
    await asyncio.gather(first, bob, *more)
    assert order.index("bob") <= 2


async def test_a_turn_that_ends_by_a_fault_is_over() -> None:
    turns, begun, end = Turns(Seconds(0.01)), asyncio.Event(), asyncio.Event()

    async def fail() -> None:
        raise ValueError("at work")

    async def work() -> None:
        begun.set()
        await end.wait()

    with pytest.raises(ValueError, match="at work"):
        await turns.run("ann", fail)
    bob = asyncio.create_task(turns.run("bob", work))
    await begun.wait()
    with pytest.raises(TurnMissed):
        await turns.run("ann", nothing)
    end.set()
    await bob
    await turns.run("ann", nothing)


async def test_a_turn_lasts_as_long_as_its_work_also_where_its_person_hangs_up(
    caplog: pytest.LogCaptureFixture,
) -> None:
    turns, begun, end = Turns(Seconds(30.0)), asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        await end.wait()
        raise ValueError("nobody is there to be told")

    first = asyncio.create_task(turns.run("ann", work))
    await begun.wait()
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(turns.run("ann", nothing))
    while turns._waiting["ann"] < 2:
        await asyncio.sleep(0)
    assert not second.done()
    end.set()
    await second
    del first
    gc.collect()
    assert caplog.text == ""
