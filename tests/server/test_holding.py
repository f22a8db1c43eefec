from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, cast

import pytest

from aegis_authz.check.draft import Draft
from aegis_authz.check.hold import Hold
from aegis_authz.core.approval import ApprovalState
from aegis_authz.core.effect import Effect
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import ApprovalId, Monotonic, Seconds
from aegis_authz.ports.data_plane import Clock, StoreDown
from aegis_authz.server.holding import HoldBounds, HoldEnd, Holds
from aegis_authz.wire.envoy.answer import Answer

NEEDED = Answer(Effect.APPROVAL_NEEDED, 7, 403, b"", {}, {}, {}, (), {}, True)
BOT = Scope("acme", "emea", "bot")


class World:
    """A store that says what the test wants, and what was told of holds."""

    def __init__(self) -> None:
        self.approvals: dict[str, ApprovalState | None] = {}
        self.fault: Exception | None = None
        self.looks: list[int] = []
        self.ends: list[str] = []
        self.open = 0
        self.refused = 0
        self.departure = asyncio.Event()

    async def states(self, names: Sequence[ApprovalId]) -> Sequence[ApprovalState | None]:
        self.looks.append(len(names))
        self.departure.set()
        if self.fault is not None:
            raise self.fault
        return [self.approvals.get(name, ApprovalState.PENDING) for name in names]

    def hold_began(self) -> None:
        self.open += 1

    def hold_ended(self, end: str, waited: Seconds) -> None:
        self.open -= 1
        self.ends.append(end)

    def hold_refused(self) -> None:
        self.refused += 1

    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()

    def holds(self, total: int = 8, of_tenant: int = 8, of_agent: int = 4, longest: float = 60.0) -> Holds:
        return Holds(self, HoldBounds(total, of_tenant, of_agent, Seconds(longest)), self, cast(Clock, self))


def hold(name: str = "apr_1", scope: Scope = BOT, longest: float = 20.0, life: float = 900.0) -> Hold:
    draft = Draft.begin("d-1", "", "", cast(Clock, World()))
    return Hold(draft, (), NEEDED, scope, ApprovalId(name), Seconds(longest), time.time() + life, False, None)


def far() -> Monotonic:
    return Monotonic(time.monotonic() + 100)


async def soon(wait: Any) -> HoldEnd:
    return cast(HoldEnd, await asyncio.wait_for(wait, 5))


async def begun(world: World, number: int) -> None:
    while world.open < number:
        await asyncio.sleep(0)


@pytest.mark.parametrize(
    ("state", "end"),
    [
        (ApprovalState.APPROVED, HoldEnd.SETTLED),
        (ApprovalState.DENIED, HoldEnd.DENIED),
        (ApprovalState.CANCELLED, HoldEnd.WITHDRAWN),
        (ApprovalState.USED, HoldEnd.SETTLED),
        (ApprovalState.STALE, HoldEnd.SETTLED),
        (ApprovalState.EXPIRED, HoldEnd.SETTLED),
        (None, HoldEnd.SETTLED),
    ],
)
async def test_a_persons_word_ends_the_wait(state: ApprovalState | None, end: HoldEnd) -> None:
    world = World()
    waiting = asyncio.create_task(world.holds().wait(hold(), far(), asyncio.Event()))
    await begun(world, 1)
    world.approvals["apr_1"] = state
    assert await soon(waiting) is end
    assert (world.ends, world.open) == ([end.value], 0)


async def test_the_wait_is_bounded_by_the_policy_the_settings_the_caller_and_the_life_of_the_approval() -> None:
    world = World()
    gone = asyncio.Event()
    for wait in (
        lambda: world.holds().wait(hold(longest=0.01), far(), gone),
        lambda: world.holds(longest=0.01).wait(hold(), far(), gone),
        lambda: world.holds().wait(hold(), Monotonic(time.monotonic() + 0.01), gone),
        lambda: world.holds().wait(hold(life=0.01), far(), gone),
        lambda: world.holds().wait(hold(), Monotonic(time.monotonic() - 1), gone),
    ):
        assert await soon(wait()) is HoldEnd.UNDECIDED
    assert world.ends == ["undecided"] * 4, "the last was never begun"


async def test_an_agent_has_its_share_and_an_authorizer_its_bound() -> None:
    world, gone = World(), asyncio.Event()
    holds = world.holds(total=3, of_agent=2)
    waiting = [asyncio.create_task(holds.wait(hold(f"apr_{number}"), far(), gone)) for number in range(2)]
    await begun(world, 2)
    assert await soon(holds.wait(hold("apr_3"), far(), gone)) is HoldEnd.CROWDED
    other = Scope("acme", "emea", "other")
    waiting.append(asyncio.create_task(holds.wait(hold("apr_4", other), far(), gone)))
    await begun(world, 3)
    assert await soon(holds.wait(hold("apr_5", Scope("acme", "emea", "third")), far(), gone)) is HoldEnd.CROWDED
    assert world.refused == 2
    gone.set()
    assert [await soon(wait) for wait in waiting] == [HoldEnd.LEFT] * 3
    again = asyncio.create_task(holds.wait(hold("apr_6"), far(), asyncio.Event()))
    await begun(world, 1)
    world.approvals["apr_6"] = ApprovalState.DENIED
    assert await soon(again) is HoldEnd.DENIED, "what has ended makes room"


async def test_room_that_was_taken_before_counts_and_is_that_of_the_request_once_it_waits() -> None:
    world, gone = World(), asyncio.Event()
    holds = world.holds(of_agent=2)
    first, second = holds.take(BOT), holds.take(BOT)
    assert first is not None and second is not None
    assert holds.take(BOT) is None
    assert await soon(holds.wait(hold("apr_1"), far(), gone)) is HoldEnd.CROWDED
    assert world.refused == 2
    waiting = asyncio.create_task(holds.wait(replace(hold("apr_2"), place=first), far(), gone))
    await begun(world, 1)
    assert holds.take(BOT) is None, "the request that waits has the room that was taken for it"
    for _ in range(2):
        second.free()
    third = holds.take(BOT)
    assert third is not None and holds.take(BOT) is None
    gone.set()
    assert await soon(waiting) is HoldEnd.LEFT
    assert holds.take(BOT) is not None and holds.take(BOT) is None


async def test_a_worker_that_stops_has_no_room() -> None:
    world = World()
    holds = world.holds()
    holds.drain()
    assert holds.take(BOT) is None


async def test_a_tenant_leaves_room_for_others_however_many_agents_it_has() -> None:
    world, gone = World(), asyncio.Event()
    holds = world.holds(total=4, of_tenant=2)
    agents = [Scope("acme", "emea", "a"), Scope("acme", "emea", "b"), Scope("acme", "apac", "a")]
    waiting = [asyncio.create_task(holds.wait(hold(agent.agent, agent), far(), gone)) for agent in agents]
    await begun(world, 3)
    assert await soon(holds.wait(hold("apr_4", Scope("acme", "emea", "c")), far(), gone)) is HoldEnd.CROWDED
    waiting.append(asyncio.create_task(holds.wait(hold("apr_5", Scope("acme", "apac", "c")), far(), gone)))
    await begun(world, 4)
    gone.set()
    assert [await soon(wait) for wait in waiting] == [HoldEnd.LEFT] * 4
    again = asyncio.create_task(holds.wait(hold("apr_6", Scope("acme", "emea", "c")), far(), asyncio.Event()))
    await begun(world, 1)
    world.approvals["apr_6"] = ApprovalState.DENIED
    assert await soon(again) is HoldEnd.DENIED, "what has ended makes room"


async def test_all_that_wait_are_asked_for_in_one_look() -> None:
    world = World()
    holds = world.holds()
    waiting = [
        asyncio.create_task(holds.wait(hold("apr_1" if number < 2 else "apr_2"), far(), asyncio.Event()))
        for number in range(3)
    ]
    await begun(world, 3)
    world.approvals = {"apr_1": ApprovalState.APPROVED, "apr_2": ApprovalState.DENIED}
    ends = [await soon(wait) for wait in waiting]
    assert ends == [HoldEnd.SETTLED, HoldEnd.SETTLED, HoldEnd.DENIED]
    assert set(world.looks) == {2}


@pytest.mark.parametrize("fault", [StoreDown("Redis cannot be used"), TimeoutError()])
async def test_nobody_waits_for_a_store_that_is_away(fault: Exception) -> None:
    world = World()
    world.fault = fault
    assert await soon(world.holds().wait(hold(), far(), asyncio.Event())) is HoldEnd.STORE_AWAY


async def test_a_fault_of_what_looks_for_the_word_is_not_waited_out_and_not_hidden() -> None:
    world = World()
    holds, world.fault = world.holds(), ValueError("a bug")
    for _ in range(2):
        with pytest.raises(ValueError, match="a bug"):
            await soon(holds.wait(hold(), far(), asyncio.Event()))
    world.fault, world.approvals["apr_1"] = None, ApprovalState.APPROVED
    assert await soon(holds.wait(hold(), far(), asyncio.Event())) is HoldEnd.SETTLED


async def test_whoever_left_uses_no_approval_that_is_granted_in_the_same_moment() -> None:
    world = World()
    world.approvals["apr_1"], world.departure = ApprovalState.APPROVED, asyncio.Event()
    assert await soon(world.holds().wait(hold(), far(), world.departure)) is HoldEnd.LEFT
    assert world.looks, "the word was there"
    early = asyncio.Event()
    early.set()
    assert await soon(world.holds().wait(hold(), far(), early)) is HoldEnd.LEFT


async def test_a_worker_that_stops_ends_all_and_begins_none() -> None:
    world = World()
    holds = world.holds()
    waiting = asyncio.create_task(holds.wait(hold(), far(), asyncio.Event()))
    await begun(world, 1)
    holds.drain()
    assert await soon(waiting) is HoldEnd.DRAINED
    assert await soon(holds.wait(hold(), far(), asyncio.Event())) is HoldEnd.UNDECIDED
    assert world.ends == ["drained"]
