from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import (
    AskError,
    BusyLoadingError,
    ClusterDownError,
    MovedError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import ConnectionError as RedisConnectionError

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.client import open_redis
from aegis_authz.adapters.redis.settle_script import Form, SettleCall
from aegis_authz.adapters.redis.settle_server import SettleServer, reason_of
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Monotonic, Seconds
from tests.support.fail_closed.impostors import redis_settling_nothing
from tests.support.fail_closed.mesh import listening
from tests.support.real_redis import RealRedis

PARTITION = redis_keys.ALL_PARTITIONS[0]
NAMES = redis_keys.names_of(PARTITION)
CALL = SettleCall(
    NAMES, f"aegis:{{{PARTITION}}}:jti:a", 1, 60_000, "acme/emea/bot", 1, "acme/emea", "t", (), None, (), (), Form.BARE
)


@pytest.fixture
async def redis(real_redis: RealRedis) -> AsyncIterator[Redis]:
    opened = open_redis(real_redis.url, 2)
    yield opened
    await opened.aclose()


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (MovedError("5 127.0.0.1:6379"), Reason.STORE_MOVING),
        (AskError("5 127.0.0.1:6379"), Reason.STORE_MOVING),
        (TryAgainError("Multiple keys request during rehashing of slot"), Reason.STORE_MOVING),
        (
            ResponseError("Lua script attempted to access a non local key in a cluster node"),
            Reason.STORE_MOVING,
        ),
        (ReadOnlyError("You can't write against a read only replica."), Reason.STORE_READONLY),
        (BusyLoadingError("Redis is loading the dataset in memory"), Reason.STORE_LOADING),
        (OutOfMemoryError("command not allowed when used memory > 'maxmemory'."), Reason.STORE_FULL),
        (ClusterDownError("The cluster is down"), Reason.STORE_UNAVAILABLE),
        (ResponseError("CROSSSLOT Keys in request don't hash to the same slot"), Reason.STORE_UNAVAILABLE),
        (RedisConnectionError("gone"), Reason.STORE_UNAVAILABLE),
        (OSError("gone"), Reason.STORE_UNAVAILABLE),
    ],
)
def test_every_fault_of_redis_has_a_reason(fault: RedisError | OSError, reason: Reason) -> None:
    assert reason_of(fault) is reason


async def test_the_memories_of_its_partitions_are_begun_and_no_others(redis: Redis, real_redis: RealRedis) -> None:
    server = SettleServer(redis, Seconds(0))
    server.partitions = redis_keys.ALL_PARTITIONS[:3]
    await server.prepare()
    assert real_redis.names() == {redis_keys.epoch(name) for name in server.partitions}
    server.partitions = redis_keys.ALL_PARTITIONS[1:5]  # some went, and some have come
    await server.prepare()
    assert real_redis.names() == {redis_keys.epoch(name) for name in redis_keys.ALL_PARTITIONS[:5]}
    await server.close()


async def test_a_server_of_no_partition_is_fit_all_the_same(redis: Redis, real_redis: RealRedis) -> None:
    server = SettleServer(redis, Seconds(0))
    await server.prepare()
    assert real_redis.names() == set()
    await server.close()


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (b"LOADING Redis is loading the dataset in memory", Reason.STORE_LOADING),
        (b"TRYAGAIN Multiple keys request during rehashing of slot", Reason.STORE_MOVING),
        (b"ASK 5 127.0.0.1:6379", Reason.STORE_MOVING),
        (b"CLUSTERDOWN Hash slot not served", Reason.STORE_UNAVAILABLE),
        (b"CROSSSLOT Keys in request don't hash to the same slot", Reason.STORE_UNAVAILABLE),
        (b"READONLY You can't write against a read only replica.", Reason.STORE_READONLY),
    ],
)
async def test_what_a_server_says_of_a_call_is_its_reason(tmp_path: Path, error: bytes, reason: Reason) -> None:
    async with listening(tmp_path / "redis.sock", redis_settling_nothing(error)):
        redis = open_redis(f"unix://{tmp_path}/redis.sock", 2)
        server = SettleServer(redis, Seconds(0))
        with pytest.raises(Refused) as caught:
            await server.settle(CALL, Monotonic(asyncio.get_running_loop().time() + 10))
        assert caught.value.reason is reason
        await server.close()
        await redis.aclose()
