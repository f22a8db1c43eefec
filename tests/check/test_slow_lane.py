"""The slow lane: one work at a time, in turn for each agent, and never too many that wait."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import pytest

from aegis_authz.check.slow_lane import MOST_OF_ONE_AGENT, MOST_WAITING, SlowLane
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope

ONE, OTHER = Scope("acme", "emea", "one"), Scope("acme", "emea", "other")


class Gate:
    """A work that lasts until it is opened."""

    def __init__(self) -> None:
        self.opened = threading.Event()

    def __call__(self) -> str:
        assert self.opened.wait(10)
        return "gate"


@pytest.fixture
def lane() -> Iterator[SlowLane[str]]:
    lane: SlowLane[str] = SlowLane()
    yield lane
    lane.close()


async def started(work: object) -> asyncio.Task[str]:
    task = asyncio.ensure_future(work)  # type: ignore[arg-type]  # a coroutine of the lane
    await asyncio.sleep(0)
    return task


async def test_a_work_is_done_beside_the_loop_and_its_result_comes_back(lane: SlowLane[str]) -> None:
    thread = await lane.do(ONE, lambda: threading.current_thread().name)
    assert thread != threading.main_thread().name


async def test_what_a_work_raises_comes_back(lane: SlowLane[str]) -> None:
    def refuse() -> str:
        raise Refused(Reason.MALFORMED_CALL, "why")

    with pytest.raises(Refused) as refused:
        await lane.do(ONE, refuse)
    assert refused.value.reason is Reason.MALFORMED_CALL


async def test_agents_take_turns_however_much_one_of_them_has_waiting(lane: SlowLane[str]) -> None:
    gate, order = Gate(), list[str]()

    def note(name: str) -> str:
        order.append(name)
        return name

    first = await started(lane.do(ONE, gate))
    works = [await started(lane.do(ONE, lambda n=n: note(f"one {n}"))) for n in range(3)]  # type: ignore[misc]
    works.append(await started(lane.do(OTHER, lambda: note("other"))))
    gate.opened.set()
    await asyncio.gather(first, *works)
    assert order == ["one 0", "other", "one 1", "one 2"]


async def test_one_agent_cannot_fill_the_lane(lane: SlowLane[str]) -> None:
    gate = Gate()
    tasks = [await started(lane.do(ONE, gate)) for _ in range(MOST_OF_ONE_AGENT + 1)]
    with pytest.raises(Refused) as refused:
        await lane.do(ONE, gate)
    assert refused.value.reason is Reason.OVERLOADED
    tasks.append(await started(lane.do(OTHER, gate)))
    gate.opened.set()
    assert await asyncio.gather(*tasks) == ["gate"] * (MOST_OF_ONE_AGENT + 2)


async def test_many_agents_together_cannot_fill_the_memory(lane: SlowLane[str]) -> None:
    gate = Gate()
    agents = [Scope("acme", "emea", f"agent-{number}") for number in range(MOST_WAITING + 2)]
    tasks = [await started(lane.do(agent, gate)) for agent in agents[:-1]]
    with pytest.raises(Refused):
        await lane.do(agents[-1], gate)
    gate.opened.set()
    await asyncio.gather(*tasks)
    assert await lane.do(agents[-1], lambda: "again") == "again"


async def test_who_gives_up_while_waiting_is_not_served(lane: SlowLane[str]) -> None:
    gate, done = Gate(), list[str]()
    first = await started(lane.do(ONE, gate))
    second = await started(lane.do(ONE, lambda: done.append("second") or ""))
    second.cancel()
    gate.opened.set()
    await first
    assert await lane.do(ONE, lambda: "third") == "third"
    assert done == []
