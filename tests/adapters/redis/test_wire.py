from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from redis.exceptions import RedisError, ResponseError

from aegis_authz.adapters.redis.client import open_redis
from aegis_authz.adapters.redis.wire import Command, RedisWire
from tests.support.real_redis import RealRedis


@pytest.fixture
async def wire(real_redis: RealRedis) -> AsyncIterator[RedisWire]:
    redis = open_redis(real_redis.url, max_connections=1)
    wire = RedisWire(redis)
    yield wire
    await wire.close()
    await redis.aclose()


def sending(commands: Sequence[Command]) -> Callable[[str], Sequence[Command]]:
    return lambda _: commands


def connections(real_redis: RealRedis) -> int:
    """How many connections Redis has, that of the question aside."""
    told = real_redis.command("INFO", "clients")
    assert isinstance(told, dict)
    return int(told["connected_clients"]) - 1


async def test_replies_come_in_order_with_errors_among_them(wire: RedisWire) -> None:
    replies = await wire.ask(sending([("ECHO", "a"), ("NONSENSE",), ("ECHO", b"\xff"), ("ECHO", 7)]))
    assert replies[0] == b"a"
    assert isinstance(replies[1], ResponseError)
    assert replies[2:] == [b"\xff", b"7"]


async def test_a_connection_is_used_again(wire: RedisWire, real_redis: RealRedis) -> None:
    for _ in range(5):
        assert await wire.ask(sending([("PING",)])) == [b"PONG"]
    assert connections(real_redis) == 1
    await asyncio.gather(*(wire.ask(sending([("PING",)])) for _ in range(3)))
    assert connections(real_redis) == 3


async def test_a_late_reply_does_not_meet_the_next_command(wire: RedisWire, real_redis: RealRedis) -> None:
    assert await wire.ask(sending([("PING",)])) == [b"PONG"]
    real_redis.pause()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await wire.ask(sending([("ECHO", "late")]))
    real_redis.go_on()
    assert await wire.ask(sending([("ECHO", "next")])) == [b"next"]


async def test_a_connection_that_redis_closed_is_not_used(wire: RedisWire, real_redis: RealRedis) -> None:
    assert await wire.ask(sending([("PING",)])) == [b"PONG"]
    real_redis.command("CLIENT", "KILL", "TYPE", "normal")
    for _ in range(5):
        await asyncio.sleep(0)  # the loop takes in the end of the stream
    assert await wire.ask(sending([("ECHO", "again")])) == [b"again"]


async def test_a_redis_that_is_not_there_is_an_error_each_time(wire: RedisWire, real_redis: RealRedis) -> None:
    assert await wire.ask(sending([("PING",)])) == [b"PONG"]
    real_redis.kill()
    for _ in range(2):
        with pytest.raises((RedisError, OSError)):
            await wire.ask(sending([("PING",)]))
