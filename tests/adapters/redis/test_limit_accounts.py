"""How limits stand over a real Redis, and over a cluster of it: read without using any, as the calls that used them were told."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest

from aegis_authz.adapters.redis.limit_accounts import RedisLimitAccounts
from aegis_authz.adapters.redis.limits import RedisLimits
from aegis_authz.adapters.redis.reservations import RedisReservations
from aegis_authz.adapters.redis.store import RedisStore
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.charge import Adjustment, Charging
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.limit import (
    Budget,
    CalendarWindow,
    Concurrency,
    Count,
    Distinct,
    Exceed,
    Flags,
    Limit,
    Per,
    Period,
    Rate,
    RollingWindow,
    Terms,
)
from aegis_authz.core.money import Money
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import Settled, Settlement
from aegis_authz.limits.accounts import idle_charge
from aegis_authz.limits.charges import Sessions, charges_of
from aegis_authz.ports.data_plane import StoreDown
from tests.support.real_cluster import RealCluster, until_fit
from tests.support.real_redis import RealRedis

SCOPE = Scope("acme", "emea", "bot")
ROLL, MONTH = RollingWindow(86_400_000), CalendarWindow(Period.MONTH, "UTC")
TERMS: tuple[Terms, ...] = (
    Budget(10_000_000, "USD", ROLL, None),
    Budget(10_000_000, "USD", MONTH, None),
    Count(5, MONTH),
    Count(5, ROLL),
    Distinct("payee", 3, MONTH),
    Distinct("payee", 3, ROLL),
    Concurrency(4, 60_000),
    Rate(1, 60_000, 4),
)
LIMITS = tuple(
    Limit(f"l{number}", "p", f"l{number}", Per.TENANT if number % 2 else Per.AGENT, Exceed.DENY, (), None, terms)
    for number, terms in enumerate(TERMS)
)


class Mesh:
    """What workers and the control plane have of one Redis."""

    def __init__(self, url: str) -> None:
        self.store = RedisStore(url, SystemClock(), 0, 60)
        self.reservations = RedisReservations(url)
        self.book = RedisLimitAccounts(url)

    async def call(self, name: str) -> Settled:
        now = time.time()
        who = Identity(SCOPE, "aegis", "k", name, now, now + 60, (), "", Way.TOKEN, None, "", None)
        cost, sessions = Money(3_000_000, "USD"), Sessions("", "", "")
        charges = charges_of(LIMITS, {"payee": name}, SCOPE, sessions, cost, now)
        settlement = Settlement(who, None, None, now, (), Charging(name, charges, 3_600_000, True), None, None)
        return await self.store.settle(settlement, time.monotonic() + 10)

    async def standing(self) -> list[tuple[int, int, int]]:
        now = time.time()
        charges = [charge for limit in LIMITS if (charge := idle_charge(limit, SCOPE, now)) is not None]
        accounts = await self.book.accounts(SCOPE, charges, now)
        assert all(account.resets_at >= now * 1000 for account in accounts if account.resets_at)
        return [(account.used, account.left, account.of) for account in accounts]


@pytest.fixture(params=["real_redis", "shared_cluster"])
async def server(request: pytest.FixtureRequest) -> RealRedis | RealCluster:
    running: RealRedis | RealCluster = request.getfixturevalue(request.param)
    running.command("FLUSHALL")
    return running


@pytest.fixture
async def mesh(server: RealRedis | RealCluster) -> AsyncIterator[Mesh]:
    one = Mesh(server.url)
    await until_fit(one.store)
    limits = RedisLimits(server.url)
    await limits.declare_counted()
    yield one
    for part in (one.store, one.reservations, one.book, limits):
        await part.close()


async def test_accounts_stand_as_calls_were_told_and_looking_uses_nothing(mesh: Mesh) -> None:
    assert {used for used, _, _ in await mesh.standing()} == {0}
    for name in ("ann", "bob"):
        told = [(account.used, account.left, account.of) for account in (await mesh.call(name)).accounts]
        assert await mesh.standing() == told
        assert await mesh.standing() == told
    assert [used for used, _, _ in told] == [6_000_000, 6_000_000, 2, 2, 2, 2, 2, 2]


async def test_what_is_given_back_is_not_used_any_more(mesh: Mesh) -> None:
    await mesh.call("ann")
    await mesh.reservations.adjust(SCOPE, "ann", Adjustment(gives_back=True, cost=None))
    assert [used for used, _, _ in await mesh.standing()][:2] == [0, 0]


async def test_a_worker_that_dies_between_both_leaves_the_call_charged_and_another_settles_it_once(
    mesh: Mesh, server: RealRedis | RealCluster
) -> None:
    dead = Mesh(server.url)
    await dead.call("ann")
    await dead.call("bob")
    for part in (dead.store, dead.reservations, dead.book):
        await part.close()
    assert (await mesh.standing())[0][0] == 6_000_000
    for cost in (500_000, 100_000, None):
        await mesh.reservations.adjust(SCOPE, "bob", Adjustment(gives_back=False, cost=cost))
    await mesh.reservations.adjust(SCOPE, "bob", Adjustment(gives_back=True, cost=None))
    assert (await mesh.standing())[0][0] == 3_500_000


def test_flags_have_no_account() -> None:
    flags = Limit("f", "p", "f", Per.AGENT, Exceed.DENY, (), None, Flags(("seen",), (), (), 1000))
    assert idle_charge(flags, SCOPE, time.time()) is None


async def test_a_store_that_is_down_says_so() -> None:
    nowhere = RedisLimitAccounts("unix:///nowhere/redis.sock")
    charge = idle_charge(LIMITS[0], SCOPE, time.time())
    assert charge is not None
    with pytest.raises(StoreDown):
        await nowhere.accounts(SCOPE, [charge], time.time())
    await nowhere.close()
