from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from aegis_authz.adapters.opa import turns as module
from aegis_authz.adapters.opa.turns import REST, Turns
from aegis_authz.core.scope import Scope

ONE, OTHER, THIRD = (Scope("acme", "emea", name) for name in ("one", "other", "third"))
LONG = 0.03  # seconds a call takes at OPA
PATIENCE = 5.0


class Log:
    """Notes who had the turn, from when to when."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.entries: list[tuple[Scope, float, float]] = []

    async def call(self, agent: Scope, seconds: float = LONG) -> None:
        async with self.turns.turn(agent):
            began = asyncio.get_running_loop().time()
            done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            asyncio.get_running_loop().call_later(seconds, done.set_result, None)
            await done
            self.entries.append((agent, began, asyncio.get_running_loop().time()))

    @property
    def order(self) -> list[Scope]:
        return [agent for agent, _, _ in self.entries]


@pytest.fixture
async def log() -> Log:
    return Log(Turns())


async def all_of(*calls: Coroutine[Any, Any, None]) -> None:
    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        for call in calls:
            group.create_task(call)


async def test_one_at_a_time_has_the_turn(log: Log) -> None:
    await all_of(*(log.call(agent, 0.001) for agent in (ONE, OTHER, THIRD, ONE)))
    ends = [end for _, _, end in log.entries]
    begins = [begin for _, begin, _ in log.entries]
    assert all(end <= begin for end, begin in zip(ends, begins[1:], strict=False))


async def test_an_agent_who_sends_many_waits_for_those_who_send_few(log: Log) -> None:
    await all_of(*(log.call(ONE) for _ in range(4)), log.call(OTHER), log.call(THIRD))
    assert log.order[:3] == [ONE, OTHER, THIRD]


async def test_after_a_long_call_nobody_begins_another_for_as_long_and_its_agent_for_longer(log: Log) -> None:
    await all_of(log.call(ONE), log.call(ONE), log.call(OTHER, 0.001))
    (_, began, ended), (_, other_began, _), (_, again, _) = log.entries
    assert log.order == [ONE, OTHER, ONE]
    assert other_began >= ended + (ended - began)
    assert again >= ended + REST * (ended - began)


async def test_who_gives_up_leaves_the_turn_to_the_next(log: Log) -> None:
    turns, entered = log.turns, asyncio.Event()
    gone = asyncio.Event()

    async def hold() -> None:
        async with turns.turn(ONE):
            entered.set()
            await gone.wait()

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        group.create_task(hold())
        await entered.wait()
        impatient = group.create_task(log.call(OTHER, 0))
        patient = group.create_task(log.call(THIRD, 0))
        await asyncio.sleep(0)
        impatient.cancel()
        gone.set()
        await patient
    assert log.order == [THIRD]


async def test_a_turn_that_is_given_as_its_waiter_gives_up_is_not_lost(log: Log) -> None:
    turns, gone = log.turns, asyncio.Event()

    async def hold() -> None:
        async with turns.turn(ONE):
            await gone.wait()

    async with asyncio.timeout(PATIENCE), asyncio.TaskGroup() as group:
        holder = group.create_task(hold())
        await asyncio.sleep(0)
        late = group.create_task(log.call(OTHER, 0))
        await asyncio.sleep(0)
        turns._end(asyncio.get_running_loop())  # the turn is given to `late`, which does not know yet
        late.cancel()
        await asyncio.gather(late, return_exceptions=True)
        await log.call(THIRD, 0)
        gone.set()
        await holder
    assert log.order == [THIRD]


async def test_a_fault_within_a_turn_ends_it(log: Log) -> None:
    with pytest.raises(ZeroDivisionError):
        async with log.turns.turn(ONE):
            raise ZeroDivisionError
    await all_of(log.call(OTHER, 0))
    assert log.order == [OTHER]


async def test_what_is_remembered_of_agents_is_bounded(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_RESTING", 3)
    await all_of(*(log.call(Scope("acme", "emea", f"agent-{number}"), 0) for number in range(10)))
    assert len(log.turns._rests) == 3
    assert not log.turns._waiting
