"""How charges are confirmed; what confirming and adjusting do is in the contract suites of limits."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.reservations import RedisReservations
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import DecisionId
from aegis_authz.ports.data_plane import StoreDown
from tests.support.real_redis import RealRedis

BOT = Scope("acme", "emea", "bot")
DECISIONS = [DecisionId(f"d-{number}") for number in range(20)]


@pytest.fixture
async def reservations(real_redis: RealRedis) -> AsyncIterator[RedisReservations]:
    opened = RedisReservations(real_redis.url)
    yield opened
    await opened.close()


def reserved(real_redis: RealRedis) -> int:
    partition = redis_keys.partition_of(BOT)
    count = real_redis.command("EXISTS", *(redis_keys.reserved(partition, decision) for decision in DECISIONS))
    assert isinstance(count, int)
    return count


def reserve(real_redis: RealRedis) -> None:
    for decision in DECISIONS:
        real_redis.command("SET", redis_keys.reserved(redis_keys.partition_of(BOT), decision), "sum a - 1 0")


async def test_what_is_confirmed_meanwhile_goes_together(
    reservations: RedisReservations, real_redis: RealRedis
) -> None:
    reserve(real_redis)
    assert reserved(real_redis) == len(DECISIONS)
    real_redis.command("CONFIG", "RESETSTAT")
    await asyncio.gather(*(reservations.confirm([(BOT, decision)]) for decision in DECISIONS))
    assert reserved(real_redis) == 0
    told = real_redis.command("INFO", "commandstats")
    assert isinstance(told, dict)
    assert told["cmdstat_del"]["calls"] == 1


async def test_whoever_confirms_what_is_gone_with_the_server_is_told(
    reservations: RedisReservations, real_redis: RealRedis
) -> None:
    await reservations.confirm([(BOT, DECISIONS[0])])
    real_redis.kill()
    for told in await asyncio.gather(
        *(reservations.confirm([(BOT, decision)]) for decision in DECISIONS), return_exceptions=True
    ):
        assert isinstance(told, StoreDown)
