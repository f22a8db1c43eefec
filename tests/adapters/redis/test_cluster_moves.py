"""A real Redis Cluster under load, while its slots move and its masters die: three masters, and replicas that take over."""

from __future__ import annotations

import asyncio
import itertools
import secrets
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.limits import RedisLimits
from aegis_authz.adapters.redis.store import RedisStore
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.charge import Charging, Excess
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.limit import Budget, Count, Exceed, Limit, OfParameter, Per, RollingWindow
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import Settled, Settlement, SettleOutcome
from aegis_authz.limits.charges import Sessions, charges_of
from aegis_authz.ports.data_plane import StoreDown
from tests.support.real_cluster import ClusterNode, RealCluster, running_cluster, until_fit

pytestmark = pytest.mark.slow

CLIENTS = 24
MOST = 400
HOUR = RollingWindow(3_600_000)
LIMITS = [
    Limit("c", "p", "n", Per.TENANT, Exceed.DENY, (), None, Count(MOST, HOUR)),
    Limit(
        "b", "p", "m", Per.TENANT, Exceed.DENY, (), None, Budget(MOST * 2, "USD", HOUR, OfParameter("amount", 1, ""))
    ),
]
FAULTS = {Reason.STORE_MOVING, Reason.STORE_UNAVAILABLE, Reason.STORE_TIMEOUT}


def call_of(scope: Scope, *, charged: bool) -> Settlement:
    now, jti = time.time(), secrets.token_hex(8)
    who = Identity(scope, "aegis", "k", jti, now, now + 60, (), "", Way.TOKEN, None, "", None)
    charging = None
    if charged:
        charges = charges_of(LIMITS, {"amount": 2}, scope, Sessions("", "", ""), None, now)
        charging = Charging(jti, charges, 60_000, is_held_when_over=True)
    return Settlement(who, None, None, now, (), charging, None, None)


async def settle(store: RedisStore, call: Settlement) -> Settled:
    return await store.settle(call, time.monotonic() + 0.5)


@dataclass
class Load:
    """Clients that call for tenants of every master, through two workers, until they are told to end."""

    stores: tuple[RedisStore, RedisStore]
    scopes: list[Scope]
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    seen: dict[Scope, Counter[object]] = field(default_factory=lambda: defaultdict(Counter))
    passed: dict[Scope, list[Settlement]] = field(default_factory=lambda: defaultdict(list))

    async def client(self, number: int) -> None:
        store, scope = self.stores[number % 2], self.scopes[number % len(self.scopes)]
        for turn in itertools.count():
            if self.ended.is_set():
                return
            charged = turn % 4 != 3
            call = call_of(scope, charged=charged)
            try:
                settled = await settle(store, call)
            except Refused as refusal:
                self.seen[scope][refusal.reason] += 1
                await asyncio.sleep(0.01)
                continue
            if settled.outcome is SettleOutcome.CLEAR:
                self.passed[scope].append(call)
                self.seen[scope]["charged" if charged else "free"] += 1
            else:
                self.seen[scope][settled.outcome] += 1
                if settled.accounts:
                    self.seen[scope][settled.accounts[0].excess] += 1
            await asyncio.sleep(0.01)

    async def watch(self, store: RedisStore) -> None:
        """What a worker does once a second, oftener."""
        while not self.ended.is_set():
            with suppress(StoreDown):
                await store.ready()
            await asyncio.sleep(0.1)

    async def until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not is_so():
                await asyncio.sleep(0.01)

    def count(self, scope: Scope, kind: object) -> int:
        return self.seen[scope][kind]

    def reasons(self) -> set[Reason]:
        return {kind for counter in self.seen.values() for kind in counter if isinstance(kind, Reason)}


@pytest.fixture
def cluster(redis_binary: Path) -> Iterator[RealCluster]:
    with running_cluster(redis_binary) as running:
        running.add_replicas()  # before anything is told: a master's first replica makes its life another
        running.agree()
        yield running


@pytest.fixture
async def load(cluster: RealCluster) -> AsyncIterator[Load]:
    scopes = [scope for node in cluster.masters for scope in itertools.islice(tenants_of(cluster, node), 2)]
    stores = (RedisStore(cluster.url, SystemClock(), 0, 60), RedisStore(cluster.url, SystemClock(), 0, 60))
    for store in stores:
        await until_fit(store)
    await reset(cluster)
    running = Load(stores, scopes)
    async with asyncio.TaskGroup() as group:
        for number in range(CLIENTS):
            group.create_task(running.client(number))
        for store in stores:
            group.create_task(running.watch(store))
        yield running
        running.ended.set()
    for store in stores:
        await store.close()


def tenants_of(cluster: RealCluster, node: ClusterNode) -> Iterator[Scope]:
    scopes = (Scope("acme", f"t{number}", "bot") for number in itertools.count())
    return (scope for scope in scopes if cluster.master_of(epoch_of(scope)) is node)


def epoch_of(scope: Scope) -> str:
    return redis_keys.epoch(redis_keys.partition_of(scope))


async def reset(cluster: RealCluster) -> None:
    """What an operator says who knows what was lost."""
    limits = RedisLimits(cluster.url)
    async with asyncio.timeout(30):
        while True:
            try:
                await limits.declare_counted()
                break
            except StoreDown:
                await asyncio.sleep(0.05)
    await limits.close()


async def assert_no_token_is_good_again(load: Load) -> None:
    for scope in load.scopes:
        for call in load.passed[scope][::7]:
            again = await settle(load.stores[0], call)
            assert again.outcome in (SettleOutcome.REPLAYED, SettleOutcome.STORE_RESET)


async def test_slots_that_move_under_load_exceed_no_limit_and_lose_nothing_that_was_charged(
    cluster: RealCluster, load: Load
) -> None:
    moving, *resting = load.scopes[0], *load.scopes[2:]
    assert len({redis_keys.partition_of(scope) for scope in (moving, *resting)}) == len(resting) + 1
    for number in range(9):
        before = load.count(moving, "charged")
        await load.until(lambda count=before: load.count(moving, "charged") > count or is_full(load, moving))
        source = cluster.master_of(epoch_of(moving))
        target = cluster.masters[(cluster.masters.index(source) + 1 + number % 2) % 3]
        refusals = load.count(moving, Reason.STORE_MOVING)
        await asyncio.to_thread(cluster.begin_move, epoch_of(moving), target)
        await load.until(lambda count=refusals: load.count(moving, Reason.STORE_MOVING) > count)
        await asyncio.to_thread(cluster.finish_move, epoch_of(moving), target, 3)
        # that nothing is lost by a move nobody but its operator knows: until that is said, limits refuse
        lost = load.count(moving, Excess.LOST)
        await load.until(lambda count=lost: load.count(moving, Excess.LOST) > count)
        charged = load.count(moving, "charged")
        await load.until(lambda count=lost: load.count(moving, Excess.LOST) > count + 5)
        assert load.count(moving, "charged") == charged
        await reset(cluster)
    await load.until(lambda: all(is_full(load, scope) for scope in load.scopes))
    load.ended.set()
    assert load.reasons() <= FAULTS
    for scope in load.scopes:
        account = (await settle(load.stores[1], call_of(scope, charged=True))).accounts[0]
        assert load.count(scope, "charged") <= account.used <= MOST
    for scope in resting:
        assert load.count(scope, Reason.STORE_MOVING) == load.count(scope, SettleOutcome.STORE_RESET) == 0
        assert load.count(scope, "charged") == MOST
    await assert_no_token_is_good_again(load)


def is_full(load: Load, scope: Scope) -> bool:
    """Whether nothing more passes of that tenant."""
    return load.count(scope, Excess.OVER) > 0


async def test_a_master_that_dies_under_load_is_taken_over_from_and_the_others_go_on(
    cluster: RealCluster, load: Load
) -> None:
    theirs, others = load.scopes[0], load.scopes[2:]
    await load.until(lambda: all(load.count(scope, "charged") > 10 for scope in load.scopes))
    first = cluster.master_of(epoch_of(theirs))
    first.kill()
    resets = load.count(theirs, SettleOutcome.STORE_RESET)
    await load.until(lambda: load.count(theirs, Reason.STORE_UNAVAILABLE) > 0)
    before = {scope: load.count(scope, "free") for scope in others}
    await load.until(lambda: all(load.count(scope, "free") > before[scope] for scope in others))
    # who took over may lack what the master was told last: it begins anew, and limits refuse
    await load.until(lambda: load.count(theirs, Excess.LOST) > 0)
    assert load.count(theirs, SettleOutcome.STORE_RESET) > resets
    charged = load.count(theirs, "charged")
    assert charged <= MOST
    free = load.count(theirs, "free")
    await load.until(lambda: load.count(theirs, "free") > free)  # what needs no memory passes
    assert load.count(theirs, "charged") == charged
    await reset(cluster)
    await load.until(lambda: load.count(theirs, "charged") > charged or is_full(load, theirs))
    load.ended.set()
    assert load.reasons() <= FAULTS
    for scope in others:
        assert load.count(scope, SettleOutcome.STORE_RESET) == load.count(scope, Excess.LOST) == 0
        assert load.count(scope, "charged") <= MOST
    await assert_no_token_is_good_again(load)
