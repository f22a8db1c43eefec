from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from redis.exceptions import ResponseError

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.life_marks import LifeMarks, life_at, life_of_all
from aegis_authz.adapters.redis.servers import Servers, open_servers
from aegis_authz.adapters.redis.store import RedisStore
from aegis_authz.adapters.system import SystemClock
from aegis_authz.core.identity import Identity, Way
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import Settlement, SettleOutcome
from aegis_authz.core.units import Seconds
from tests.support.fail_closed.impostors import redis_replying
from tests.support.fail_closed.mesh import listening
from tests.support.real_cluster import RealCluster, until_fit
from tests.support.real_redis import RealRedis

PARTITION = redis_keys.ALL_PARTITIONS[20]
KEY = redis_keys.counted(PARTITION)


@pytest.fixture(params=["real_redis", "shared_cluster"])
async def server(request: pytest.FixtureRequest) -> RealRedis | RealCluster:
    running: RealRedis | RealCluster = request.getfixturevalue(request.param)
    running.command("FLUSHALL")
    return running


@pytest.fixture
async def servers(server: RealRedis | RealCluster) -> AsyncIterator[Servers]:
    opened = open_servers(server.url, 2)
    yield opened
    await opened.aclose()


def call() -> Settlement:
    scopes = (Scope("acme", f"t{number}", "bot") for number in itertools.count())
    scope, now = next(scope for scope in scopes if redis_keys.partition_of(scope) == PARTITION), time.time()
    who = Identity(scope, "aegis", "k", secrets.token_hex(8), now, now + 60, (), "", Way.TOKEN, None, "", None)
    return Settlement(who, None, None, now, (), None, None, None)


async def test_marks_are_set_once_they_are_in_every_partition(servers: Servers) -> None:
    marks = LifeMarks(servers, redis_keys.counted)
    assert not await marks.are_set()
    await marks.set(await marks.lives())
    assert await marks.are_set()
    assert not await LifeMarks(servers, redis_keys.revocations_whole).are_set()
    await servers.ask(KEY, lambda redis: redis.delete(KEY))
    assert not await LifeMarks(servers, redis_keys.counted).are_set()


async def test_a_mark_of_another_life_is_none(servers: Servers) -> None:
    marks = LifeMarks(servers, redis_keys.counted)
    await marks.set(await marks.lives())
    await servers.ask(KEY, lambda redis: redis.set(KEY, "0" * 40))
    assert not await LifeMarks(servers, redis_keys.counted).are_set()


async def test_marks_are_gone_with_all_else(servers: Servers, server: RealRedis | RealCluster) -> None:
    marks = LifeMarks(servers, redis_keys.counted)
    await marks.set(await marks.lives())
    assert await marks.are_set()
    server.command("FLUSHALL")
    assert not await marks.are_set()
    await marks.set(await marks.lives())
    assert await marks.are_set()


@pytest.mark.parametrize("reply", [b"*0\r\n", b"*1\r\n$40\r\n" + b"a" * 40 + b"\r\n", b"_\r\n", b"+OK\r\n"])
async def test_a_reply_without_every_mark_is_no_answer(tmp_path: Path, reply: bytes) -> None:
    async with listening(tmp_path / "redis.sock", redis_replying({b"MGET": reply})):
        servers = open_servers(f"unix://{tmp_path}/redis.sock", 2)
        with pytest.raises(ResponseError, match="no list of all marks"):
            await LifeMarks(servers, redis_keys.counted).are_set()
        await servers.aclose()


async def test_the_life_of_all_is_that_of_each(servers: Servers) -> None:
    lives = {await life_at(master.redis) for master in await servers.masters()}
    assert (await life_of_all(servers) in lives) == (len(lives) == 1)
    assert await life_of_all(servers) == await life_of_all(servers)


async def test_a_partition_that_moved_is_in_another_life(shared_cluster: RealCluster) -> None:
    shared_cluster.command("FLUSHALL")
    servers = open_servers(shared_cluster.url, 2)
    marks = LifeMarks(servers, redis_keys.counted)
    await marks.set(await marks.lives())
    assert await marks.are_set()
    source = shared_cluster.master_of(KEY)
    target = next(node for node in shared_cluster.masters if node is not source)
    shared_cluster.move(KEY, target)
    assert not await marks.are_set()
    await marks.set(await marks.lives())
    assert await marks.are_set()
    await servers.aclose()


@pytest.mark.parametrize("mark_of", [redis_keys.counted, redis_keys.revocations_whole])
@pytest.mark.parametrize("is_called", [False, True])
async def test_a_partition_that_went_and_came_back_is_not_what_it_was(
    shared_cluster: RealCluster, mark_of: Callable[[str], str], is_called: bool
) -> None:
    shared_cluster.command("FLUSHALL")
    servers, store = open_servers(shared_cluster.url, 2), RedisStore(shared_cluster.url, SystemClock(), Seconds(0))
    await until_fit(store)
    marks = LifeMarks(servers, mark_of)
    await marks.set(await marks.lives())
    assert await marks.are_set()
    source = shared_cluster.master_of(KEY)
    shared_cluster.move(KEY, next(node for node in shared_cluster.masters if node is not source))
    # the memory begins again there, by a look or by a call, and what is lost there is lost
    if is_called:
        assert (await store.settle(call(), time.monotonic() + 5)).outcome is SettleOutcome.STORE_RESET
    else:
        await until_fit(store)
    shared_cluster.move(KEY, source)
    assert not await marks.are_set()
    await marks.set(await marks.lives())
    await until_fit(store)
    assert await marks.are_set()
    await store.close()
    await servers.aclose()
