"""What operators see and change of limits and quarantines, over Redis."""

from __future__ import annotations

from typing import cast

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.client import answering, open_redis, script
from aegis_authz.adapters.redis.wire import life_of
from aegis_authz.core.breaker import Quarantine
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.ports.data_plane import StoreDown

_CONNECTIONS = 2


class RedisLimits:
    """`ports.LimitMemory` and `ports.Quarantines` over Redis."""

    def __init__(self, url: str) -> None:
        self._redis = open_redis(url, _CONNECTIONS)
        self._quarantine = script("quarantine.lua")

    async def is_counted(self) -> bool:
        """Whether nothing that was charged counts as forgotten. Raises StoreDown."""
        async with answering():
            mark = await self._redis.get(redis_keys.counted(redis_keys.ALL_PARTITIONS[-1]))  # the last one written
            return isinstance(mark, bytes) and mark.decode("ascii", "replace") == await self._life()

    async def life(self) -> str:
        """The life of the server, which ends when it is started again or taken over. Raises StoreDown."""
        async with answering():
            return await self._life()

    async def declare_counted(self) -> None:
        """Count nothing that was charged as forgotten, in this life of the server. Raises StoreDown."""
        async with answering():
            life = await self._life()
            pipeline = self._redis.pipeline(transaction=False)
            for partition in redis_keys.ALL_PARTITIONS:
                pipeline.set(redis_keys.counted(partition), life)
            await pipeline.execute()

    async def quarantine(self, quarantine: Quarantine) -> None:
        """Refuse every call of the agent until then. Raises StoreDown."""
        scope, now, until = quarantine.scope, _ms(quarantine.since), _ms(quarantine.until)
        keys = (redis_keys.quarantined(redis_keys.partition_of(scope)), redis_keys.quarantine(scope))
        arguments = (str(scope), str(until), f"{now} {quarantine.by}", str(max(until - now, 1)))
        async with answering():
            await self._redis.eval(self._quarantine, len(keys), *keys, *arguments)

    async def release(self, scope: Scope, now: Epoch) -> bool:
        """Let policy judge the agent again; returns whether it was quarantined. Raises StoreDown."""
        key = redis_keys.quarantined(redis_keys.partition_of(scope))
        async with answering():
            pipeline = self._redis.pipeline(transaction=True)
            pipeline.zscore(key, str(scope))
            pipeline.zrem(key, str(scope))
            pipeline.delete(redis_keys.quarantine(scope))
            until = (await pipeline.execute())[0]
        return until is not None and float(until) > _ms(now)

    async def quarantines(self, now: Epoch) -> list[Quarantine]:
        """Who is quarantined, those that are for longest first. Raises StoreDown."""
        async with answering():
            pipeline = self._redis.pipeline(transaction=False)
            for partition in redis_keys.ALL_PARTITIONS:
                pipeline.zrangebyscore(redis_keys.quarantined(partition), f"({_ms(now)}", "+inf", withscores=True)
            pairs = [pair for reply in await pipeline.execute() for pair in reply]
            reasons = self._redis.pipeline(transaction=False)
            for name, _ in pairs:
                reasons.get(redis_keys.quarantine(_scope(name)))
            facts = await reasons.execute() if pairs else []
        entries = [_entry(name, until, fact) for (name, until), fact in zip(pairs, facts, strict=True)]
        return sorted(entries, key=lambda entry: (-entry.until, str(entry.scope)))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _life(self) -> str:
        pipeline = self._redis.pipeline(transaction=False)
        pipeline.execute_command("INFO", "server", NEVER_DECODE=True)
        pipeline.execute_command("INFO", "replication", NEVER_DECODE=True)
        return life_of([_text(reply) for reply in await pipeline.execute()])


def _text(reply: object) -> bytes:
    """What INFO said, which the driver takes apart, put together again."""
    if isinstance(reply, bytes):
        return reply
    facts = cast(dict[str, object], reply) if isinstance(reply, dict) else {}
    return "".join(f"{name}:{value}\n" for name, value in facts.items()).encode()


def _scope(name: bytes) -> Scope:
    try:
        return Scope.parse(name.decode("utf-8", "replace"))
    except ValueError:
        raise StoreDown("what Redis holds as quarantined is no agent") from None


def _entry(name: bytes, until: float, fact: object) -> Quarantine:
    since, _, by = fact.decode("utf-8", "replace").partition(" ") if isinstance(fact, bytes) else ("0", "", "")
    return Quarantine(_scope(name), Epoch(int(since) / 1000), Epoch(until / 1000), by)


def _ms(moment: float) -> int:
    return int(moment * 1000)
