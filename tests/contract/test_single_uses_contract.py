"""What is taken once: Redis, a cluster of it and the twin in memory agree."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest

from aegis_authz.adapters.redis.once import RedisSingleUses
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.units import Seconds
from aegis_authz.ports.control_plane import SingleUses
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.testing.issuing import MemorySingleUses
from tests.support.real_cluster import RealCluster
from tests.support.real_redis import RealRedis


@pytest.fixture(params=["real_redis", "shared_cluster", "memory"])
async def uses(request: pytest.FixtureRequest) -> AsyncIterator[SingleUses]:
    if request.param == "memory":
        yield MemorySingleUses(SystemClock(), for_tests=True)
        return
    server: RealRedis | RealCluster = request.getfixturevalue(request.param)
    redis = RedisSingleUses(server.url)
    yield redis
    await redis.close()


async def test_of_many_who_come_at_once_all_learn_of_the_same_first(uses: SingleUses) -> None:
    name = secrets.token_hex(8)
    holders = await asyncio.gather(*(uses.claim("proof", name, Seconds(60), str(number)) for number in range(64)))
    assert len(set(holders)) == 1
    assert await uses.claim("proof", name, Seconds(60), "late") == holders[0]


async def test_names_of_unlike_kinds_are_unlike(uses: SingleUses) -> None:
    name = secrets.token_hex(8)
    assert await uses.claim("proof", name, Seconds(60), "a") == "a"
    assert await uses.claim("assertion", name, Seconds(60), "b") == "b"
    assert await uses.claim("proo", "f" + name, Seconds(60), "c") == "c"


async def test_a_name_is_forgotten_after_its_life(uses: SingleUses) -> None:
    name = secrets.token_hex(8)
    await uses.claim("proof", name, Seconds(0.001), "a")
    holder = ""
    async with asyncio.timeout(5):
        while holder != "b":
            # forgotten while the claim was under way, it is nobody's until the next
            with suppress(StoreDown):
                holder = await uses.claim("proof", name, Seconds(0.001), "b")
            await asyncio.sleep(0)


async def test_a_store_that_is_away_says_so() -> None:
    redis = RedisSingleUses("unix:///nowhere/redis.sock")
    with pytest.raises(StoreDown):
        await redis.claim("proof", "a", Seconds(60), "a")
    await redis.close()
