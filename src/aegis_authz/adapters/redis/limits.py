"""What operators see and change of limits and quarantines, over Redis."""

from __future__ import annotations

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.client import answering, script
from aegis_authz.adapters.redis.life_marks import LifeMarks, life_of_all
from aegis_authz.adapters.redis.servers import Question, answers, open_servers
from aegis_authz.core.breaker import Quarantine
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.ports.data_plane import StoreDown

_CONNECTIONS = 2


class RedisLimits:
    """`ports.LimitMemory` and `ports.Quarantines` over Redis."""

    def __init__(self, url: str) -> None:
        self._servers = open_servers(url, _CONNECTIONS)
        self._marks = LifeMarks(self._servers, redis_keys.counted)
        self._quarantine = script("quarantine.lua")
        self._release = script("release.lua")

    async def is_counted(self) -> bool:
        """Whether nothing that was charged counts as forgotten. Raises StoreDown."""
        async with answering():
            return await self._marks.are_set()

    async def life(self) -> str:
        """The life of the servers, which ends when one is started again or taken over. Raises StoreDown."""
        async with answering():
            return await life_of_all(self._servers)

    async def declare_counted(self) -> None:
        """Count nothing that was charged as forgotten, in this life of the servers. Raises StoreDown.

        After StoreDown it may be so for some partitions.
        """
        async with answering():
            await self._marks.set(await self._marks.lives())

    async def quarantine(self, quarantine: Quarantine) -> None:
        """Refuse every call of the agent until then. Raises StoreDown."""
        scope, now, until = quarantine.scope, _ms(quarantine.since), _ms(quarantine.until)
        keys = (redis_keys.quarantined(redis_keys.partition_of(scope)), redis_keys.quarantine(scope))
        arguments = (str(scope), str(until), f"{now} {quarantine.by}", str(max(until - now, 1)))
        async with answering():
            await self._servers.ask(keys[0], lambda redis: redis.eval(self._quarantine, len(keys), *keys, *arguments))

    async def release(self, scope: Scope, now: Epoch) -> bool:
        """Let policy judge the agent again; returns whether it was quarantined. Raises StoreDown."""
        keys = (redis_keys.quarantined(redis_keys.partition_of(scope)), redis_keys.quarantine(scope))
        async with answering():
            until = await self._servers.ask(keys[0], lambda redis: redis.eval(self._release, 2, *keys, str(scope)))
        return until is not None and float(until) > _ms(now)

    async def quarantines(self, now: Epoch) -> list[Quarantine]:
        """Who is quarantined, those that are for longest first. Raises StoreDown."""
        async with answering():
            sets = [redis_keys.quarantined(partition) for partition in redis_keys.ALL_PARTITIONS]
            replies = answers(await self._servers.ask_each([(key, _later_than(key, _ms(now))) for key in sets]))
            pairs = [pair for reply in replies for pair in reply]
            reasons = [redis_keys.quarantine(_scope(name)) for name, _ in pairs]
            facts = answers(await self._servers.ask_each([(key, _text_at(key)) for key in reasons])) if pairs else []
        entries = [_entry(name, until, fact) for (name, until), fact in zip(pairs, facts, strict=True)]
        return sorted(entries, key=lambda entry: (-entry.until, str(entry.scope)))

    async def close(self) -> None:
        """Close the connections."""
        await self._servers.aclose()


def _later_than(key: str, moment: int) -> Question:
    return lambda redis: redis.zrangebyscore(key, f"({moment}", "+inf", withscores=True)


def _text_at(key: str) -> Question:
    return lambda redis: redis.get(key)


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
