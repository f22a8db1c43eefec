"""One suite for what is done to limits beside calls: the memory twin, a real Redis and a real cluster must behave alike."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest

from aegis_authz.adapters.redis.limits import RedisLimits
from aegis_authz.adapters.redis.reservations import RedisReservations
from aegis_authz.adapters.redis.store import RedisStore
from aegis_authz.core.breaker import Breaker, Quarantine, Tally
from aegis_authz.core.charge import Adjustment, Charging
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.limit import (
    KINDS,
    Budget,
    Concurrency,
    Count,
    Exceed,
    Limit,
    OfParameter,
    Per,
    RollingWindow,
    Terms,
)
from aegis_authz.core.money import Money
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import Settled, Settlement, SettleOutcome
from aegis_authz.limits.charges import Sessions, charges_of
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.testing.store import MemoryStore
from tests.support.real_cluster import RealCluster, until_fit
from tests.support.real_redis import RealRedis

BOT = Scope("acme", "emea", "bot")
SERVERS = {"redis": "real_redis", "cluster": "shared_cluster"}
NUMBERS = itertools.count()
ROLLING = RollingWindow(3_600_000)
BUDGET = Budget(10_000_000, "USD", ROLLING, None)
PAID = Budget(10_000_000, "USD", ROLLING, OfParameter("amount", 1_000_000, ""))
HOUR = 3_600_000


class Clock:
    def now(self) -> float:
        return time.time()

    def monotonic(self) -> float:
        return time.monotonic()


@dataclass
class Contract:
    store: Any
    reservations: Any
    limits: Any
    start_again: Callable[[], Awaitable[None]]

    async def call(self, *terms: Terms, decision_id: str = "", cost: int = 6_000_000, reserve: int = HOUR) -> Settled:
        charging = None
        now = time.time()
        if terms:
            limits = [Limit(KINDS[type(entry)], "p", "n", Per.AGENT, Exceed.DENY, (), None, entry) for entry in terms]
            charges = charges_of(limits, {"amount": 6}, BOT, Sessions("", "", ""), Money(cost, "USD"), now)
            charging = Charging(decision_id or f"d-{next(NUMBERS)}", charges, reserve, is_held_when_over=True)
        return await self._settle(charging, None)

    async def refused(self, breaker: Breaker) -> Settled:
        return await self._settle(None, Tally((breaker,), is_forbidden_domain=False))

    async def _settle(self, charging: Charging | None, tally: Tally | None) -> Settled:
        now, jti = time.time(), f"j{next(NUMBERS)}"
        who = Identity(BOT, "aegis", "k", jti, now, now + 60, (), "", Way.TOKEN, None, "", None)
        settlement = Settlement(who, None, None, now, (), charging, tally, None)
        return await self.store.settle(settlement, time.monotonic() + 10)

    async def adjust(self, decision_id: str, *, gives_back: bool = False, cost: int | None = None) -> bool:
        return await self.reservations.adjust(BOT, decision_id, Adjustment(gives_back, cost))


async def until_up(prepare: Callable[[], Awaitable[None]]) -> None:
    """A busy machine answers late."""
    async with asyncio.timeout(30):
        while True:
            try:
                return await prepare()
            except StoreDown:
                continue


@pytest.fixture(params=["memory", "redis", "cluster"])
async def contract(request: pytest.FixtureRequest) -> AsyncIterator[Contract]:
    clock = Clock()
    if request.param == "memory":
        memory = MemoryStore(clock, 60, for_tests=True)

        async def keep() -> None:
            memory.start_again()

        await memory.declare_counted()
        await asyncio.sleep(0.002)
        yield Contract(memory, memory, memory, keep)
        return
    server: RealRedis | RealCluster = request.getfixturevalue(SERVERS[request.param])
    store, reservations, limits = (
        RedisStore(server.url, clock, 0, 60),
        RedisReservations(server.url),
        RedisLimits(server.url),
    )

    async def start_again() -> None:
        server.command("SAVE")
        server.kill()
        server.start()
        await asyncio.sleep(0.01)  # the loop has yet to see that the connections ended

    server.command("FLUSHALL")
    await until_fit(store)
    await until_up(limits.declare_counted)
    await asyncio.sleep(0.002)  # a token of the very millisecond in which the memory began would be refused
    yield Contract(store, reservations, limits, start_again)
    for opened in (store, reservations, limits):
        await opened.close()


async def test_a_cost_is_settled_to_what_it_was_once(contract: Contract) -> None:
    assert (await contract.call(BUDGET, decision_id="a")).accounts[0].used == 6_000_000
    assert (await contract.call(BUDGET)).outcome is SettleOutcome.LIMIT_EXCEEDED
    assert await contract.adjust("a", cost=1_500_000)
    assert not await contract.adjust("a", cost=0)
    assert (await contract.call(BUDGET)).accounts[0].used == 7_500_000


async def test_a_cost_above_its_estimate_is_charged_too(contract: Contract) -> None:
    await contract.call(BUDGET, decision_id="a")
    assert await contract.adjust("a", cost=12_000_000)
    refused = await contract.call(BUDGET, cost=1)
    assert (refused.outcome, refused.accounts[0].used, refused.accounts[0].left) == (
        SettleOutcome.LIMIT_EXCEEDED,
        12_000_000,
        0,
    )


async def test_what_did_not_happen_is_given_back(contract: Contract) -> None:
    await contract.call(PAID, Count(1, ROLLING), decision_id="a")
    assert await contract.adjust("a", gives_back=True)
    again = await contract.call(PAID, Count(1, ROLLING))
    assert (again.outcome, again.accounts[0].used, again.accounts[1].used) == (SettleOutcome.CLEAR, 6_000_000, 1)


async def test_what_a_parameter_says_is_not_settled_by_the_cost(contract: Contract) -> None:
    await contract.call(PAID, decision_id="a")
    assert await contract.adjust("a", cost=1)
    assert (await contract.call(PAID)).accounts[0].used == 6_000_000


async def test_a_call_under_way_ends_when_it_is_settled(contract: Contract) -> None:
    await contract.call(Concurrency(1, HOUR), decision_id="a")
    assert (await contract.call(Concurrency(1, HOUR))).outcome is SettleOutcome.LIMIT_EXCEEDED
    assert await contract.adjust("a")
    assert (await contract.call(Concurrency(1, HOUR))).outcome is SettleOutcome.CLEAR


async def test_what_is_confirmed_stays_as_it_was_charged(contract: Contract) -> None:
    for name in ("a", "b"):
        await contract.call(BUDGET, decision_id=name, cost=3_000_000)
    await contract.reservations.confirm([(BOT, "a"), (BOT, "gone"), (Scope("acme", "apac", "bot"), "b")])
    assert not await contract.adjust("a", gives_back=True)
    assert (await contract.call(BUDGET, cost=1)).accounts[0].used == 6_000_001


async def test_what_is_not_reserved_is_not_settled(contract: Contract) -> None:
    assert not await contract.adjust("gone", cost=5)
    await contract.call(BUDGET, decision_id="a", reserve=0)
    assert not await contract.adjust("a", gives_back=True)


@pytest.mark.parametrize("cost", [-1, 4_000_000_000_000_001])
def test_what_is_no_cost_is_not_settled(cost: int) -> None:
    with pytest.raises(ValueError, match="cost"):
        Adjustment(gives_back=False, cost=cost)


async def test_a_quarantined_agent_is_refused_until_it_is_released(contract: Contract) -> None:
    now = time.time()
    quarantine = Quarantine(BOT, round(now, 3), round(now + 600, 3), "ann")
    await contract.limits.quarantine(quarantine)
    refused = await contract.call()
    assert (refused.outcome, refused.quarantined_until) == (SettleOutcome.QUARANTINED, int(quarantine.until * 1000))
    (kept,) = await contract.limits.quarantines(now)
    assert (kept.scope, kept.by, kept.until) == (BOT, "ann", pytest.approx(quarantine.until, abs=0.002))
    assert await contract.limits.release(BOT, now)
    assert not await contract.limits.release(BOT, now)
    assert (await contract.call()).outcome is SettleOutcome.CLEAR
    assert await contract.limits.quarantines(now) == []


async def test_a_breaker_quarantines_by_its_name(contract: Contract) -> None:
    breaker = Breaker("too-many", "p", 2, None, 60_000, 600_000)
    assert (await contract.refused(breaker)).quarantined_until == 0
    assert (await contract.refused(breaker)).quarantined_until > 0
    (kept,) = await contract.limits.quarantines(time.time())
    assert (kept.scope, kept.by) == (BOT, "too-many")
    assert (await contract.refused(breaker)).outcome is SettleOutcome.QUARANTINED


async def test_a_quarantine_whose_time_is_over_is_none(contract: Contract) -> None:
    now = time.time()
    await contract.limits.quarantine(Quarantine(BOT, now - 10, now - 5, "ann"))
    assert (await contract.call()).outcome is SettleOutcome.CLEAR
    assert await contract.limits.quarantines(now) == []


async def test_after_a_new_start_limits_count_as_lost_until_they_are_reset(contract: Contract) -> None:
    assert await contract.limits.is_counted()
    life = await contract.limits.life()
    await contract.call(Count(5, ROLLING))
    assert await contract.limits.life() == life
    await contract.start_again()
    assert not await contract.limits.is_counted()
    assert await contract.limits.life() != life
    await contract.call()
    await asyncio.sleep(0.003)
    assert (await contract.call(Count(5, ROLLING))).outcome is SettleOutcome.LIMIT_EXCEEDED
    await contract.limits.declare_counted()
    assert await contract.limits.is_counted()
    again = await contract.call(Count(5, ROLLING))
    assert (again.outcome, again.accounts[0].used) == (SettleOutcome.CLEAR, 2)
