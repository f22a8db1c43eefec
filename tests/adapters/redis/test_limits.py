"""What operators change of quarantines, on a real Redis: each change is one step, whole or absent."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator

import pytest
import redis

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.limits import RedisLimits
from aegis_authz.core.breaker import Quarantine
from aegis_authz.core.scope import Scope
from aegis_authz.ports.data_plane import StoreDown
from tests.support.real_redis import RealRedis

BOT = Scope("acme", "emea", "bot")
KEY = redis_keys.quarantined(redis_keys.partition_of(BOT))


@pytest.fixture
async def limits(real_redis: RealRedis) -> AsyncIterator[RedisLimits]:
    opened = RedisLimits(real_redis.url)
    yield opened
    await opened.close()


def quarantine(seconds: float) -> Quarantine:
    now = time.time()
    return Quarantine(BOT, now, now + seconds, "ann")


async def test_a_quarantine_and_its_end_are_one_step_each(real_redis: RealRedis, limits: RedisLimits) -> None:
    with redis.Redis(unix_socket_path=str(real_redis.socket)) as client, client.monitor() as watch:
        await limits.quarantine(quarantine(600))
        assert await limits.release(BOT, time.time())
        real_redis.command("ECHO", "the end")
        words = [entry["command"].split(" ")[0] for entry in watched(watch) if entry["client_type"] != "lua"]
    assert [word for word in words if word not in ("HELLO", "CLIENT")] == [
        "EVAL",
        "EVAL",
    ]
    assert real_redis.names() == set()


def watched(watch: redis.client.Monitor) -> Iterator[dict[str, str]]:
    """What clients sent, up to the end."""
    while (entry := watch.next_command())["command"] != "ECHO the end":
        yield entry


async def test_what_cannot_be_written_whole_is_not_written(real_redis: RealRedis, limits: RedisLimits) -> None:
    real_redis.command("SET", KEY, "spoilt")
    with pytest.raises(StoreDown):
        await limits.quarantine(quarantine(600))
    assert real_redis.names() == {KEY}


async def test_the_quarantines_of_a_partition_live_as_long_as_the_last_of_them(
    real_redis: RealRedis, limits: RedisLimits
) -> None:
    for seconds in (600, 60):
        await limits.quarantine(quarantine(seconds))
    assert 590_000 < int(str(real_redis.command("PTTL", KEY))) <= 600_000
    assert int(str(real_redis.command("PTTL", redis_keys.quarantine(BOT)))) <= 60_000
