"""Deadlines are held to asyncio's own, which they are in place of: each test runs with both."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import uvloop

from aegis_authz.check.deadline import Deadline

SOON, FAR = 0.02, 30.0
Until = Callable[[float], AbstractAsyncContextManager[object]]


@asynccontextmanager
async def shared(at: float) -> AsyncIterator[None]:
    with Deadline(at):
        yield


@pytest.fixture(params=[asyncio.timeout_at, shared], ids=["asyncio", "shared"])
def until(request: pytest.FixtureRequest) -> Until:
    chosen: Until = request.param
    return chosen


def now() -> float:
    return asyncio.get_running_loop().time()


async def forever() -> None:
    await asyncio.get_running_loop().create_future()


async def test_what_ends_in_time_is_let_be(until: Until) -> None:
    async with until(now() + FAR):
        await asyncio.sleep(0)
    await asyncio.sleep(0)


async def test_what_is_late_ends_with_a_timeout(until: Until) -> None:
    begin = now()
    with pytest.raises(TimeoutError):
        async with until(begin + SOON):
            await forever()
    assert now() >= begin + SOON - 0.002
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_moment_that_is_past_ends_what_waits_and_nothing_else(until: Until) -> None:
    async with until(now() - 1):
        pass
    with pytest.raises(TimeoutError):
        async with until(now() - 1):
            await forever()


async def test_a_fault_stays_the_fault_that_it_is(until: Until) -> None:
    with pytest.raises(ZeroDivisionError):
        async with until(now() + FAR):
            await asyncio.sleep(0)
            raise ZeroDivisionError


async def test_a_cancellation_by_another_hand_stays_one(until: Until) -> None:
    async def work(at: float) -> None:
        async with until(at):
            await forever()

    task = asyncio.create_task(work(now() + FAR))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_cancellation_stays_one_when_it_is_late_as_well(until: Until) -> None:
    reached = asyncio.Event()

    async def work() -> None:
        async with until(now() + SOON):
            reached.set()
            try:
                await forever()
            except asyncio.CancelledError:
                ours = asyncio.current_task()
                assert ours is not None
                ours.cancel()  # whoever asked is gone at the same moment
                raise

    task = asyncio.create_task(work())
    await reached.wait()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_of_two_deadlines_the_earlier_ends_what_is_under_both(until: Until) -> None:
    async with until(now() + FAR):
        with pytest.raises(TimeoutError):
            async with until(now() + SOON):
                await forever()
        await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        async with until(now() + SOON), until(now() + FAR):
            await forever()


async def test_each_ends_at_its_own_moment_in_whatever_order_they_began(until: Until) -> None:
    ended: list[int] = []

    async def work(place: int, at: float) -> None:
        with pytest.raises(TimeoutError):
            async with until(at):
                await forever()
        ended.append(place)

    begin = now()
    order = [3, 0, 2, 4, 1]
    await asyncio.gather(*(work(place, begin + SOON * (place + 1)) for place in order))
    assert ended == sorted(order)


async def test_a_late_one_leaves_those_that_are_not_late_alone(until: Until) -> None:
    async def work(at: float) -> str:
        try:
            async with until(at):
                await asyncio.sleep(3 * SOON)
        except TimeoutError:
            return "late"
        return "in time"

    begin = now()
    assert await asyncio.gather(*(work(begin + span) for span in (SOON, FAR, SOON, FAR))) == ["late", "in time"] * 2


def test_all_share_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.new_event_loop()
    timers: list[float] = []
    set_timer = loop.call_at

    def call_at(at: float, *rest: object, **more: object) -> asyncio.TimerHandle:
        timers.append(at)
        return set_timer(at, *rest, **more)  # type: ignore[arg-type]  # handed on as they are

    monkeypatch.setattr(loop, "call_at", call_at)

    async def work(at: float) -> None:
        with Deadline(at):
            await forever_but_for_a_turn()

    async def forever_but_for_a_turn() -> None:
        await asyncio.sleep(0)

    async def all_of_them() -> None:
        first = loop.time() + FAR
        await asyncio.gather(*(work(first + number) for number in range(100)))

    loop.run_until_complete(all_of_them())
    loop.close()
    assert len(timers) == 1


@pytest.mark.parametrize("new_loop", [asyncio.new_event_loop, uvloop.new_event_loop])
def test_each_loop_has_its_own(new_loop: Callable[[], asyncio.AbstractEventLoop]) -> None:
    async def late() -> None:
        with pytest.raises(TimeoutError), Deadline(now() + SOON):
            await forever()

    first, second = new_loop(), new_loop()
    for loop in (first, second, first):
        loop.run_until_complete(late())
    for loop in (first, second):
        loop.close()


def test_outside_of_a_task_there_is_none() -> None:
    with pytest.raises(RuntimeError):
        Deadline(math.inf)
