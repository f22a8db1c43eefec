"""Turns; that publications take them is in test_trials.py."""

from __future__ import annotations

import asyncio

import pytest

from aegis_authz.control.policies.turns import TurnMissed, Turns
from aegis_authz.core.units import Seconds


async def test_the_next_turn_is_another_persons_and_whoever_waits_too_long_misses_it() -> None:
    turns, order = Turns(Seconds(30.0)), list[str]()
    begun, end = asyncio.Event(), asyncio.Event()

    async def take(person: str, name: str) -> None:
        async with turns.turn_of(person):
            order.append(name)
            if name == "ann 1":
                begun.set()
                await end.wait()

    first = asyncio.create_task(take("ann", "ann 1"))
    await begun.wait()
    more = [asyncio.create_task(take("ann", f"ann {number}")) for number in (2, 3)]
    bob = asyncio.create_task(take("bob", "bob"))
    while len(turns._waiting) < 2:
        await asyncio.sleep(0)
    end.set()
    await asyncio.gather(first, bob, *more)
    assert order.index("bob") <= 2


async def test_a_turn_that_ends_by_a_fault_is_over() -> None:
    turns = Turns(Seconds(0.01))
    with pytest.raises(ValueError, match="at work"):
        async with turns.turn_of("ann"):
            raise ValueError("at work")
    async with turns.turn_of("bob"):
        with pytest.raises(TurnMissed):
            async with turns.turn_of("ann"):
                pass
    async with turns.turn_of("ann"):
        pass
