"""Revoked agents, tenants, keys and tokens, over Redis: the settle script refuses them from the next call on."""

from __future__ import annotations

from collections.abc import Mapping

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.client import answering
from aegis_authz.adapters.redis.life_marks import LifeMarks
from aegis_authz.adapters.redis.servers import Question, answers, open_servers
from aegis_authz.core.revocation import Revocation, Revoked
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.ports.data_plane import StoreDown

_CONNECTIONS = 2


class RedisRevocations:
    """`ports.Revocations` over Redis. Kept until restored, and lost with Redis' data like everything in it."""

    def __init__(self, url: str) -> None:
        self._servers = open_servers(url, _CONNECTIONS)
        self._marks = LifeMarks(self._servers, redis_keys.revocations_whole)
        self._lives: Mapping[str, str] = {}

    async def revoke(self, revocation: Revocation) -> None:
        """Refuse every call it is about. Raises StoreDown."""
        key, mark, fact = _key(revocation.target), revocation.target.mark, f"{revocation.at:.3f} {revocation.by}"
        async with answering():
            await self._servers.ask(key, lambda redis: redis.hset(key, mark, fact))

    async def restore(self, target: Revoked) -> bool:
        """Take a revocation back; returns whether there was one. Raises StoreDown."""
        key = _key(target)
        async with answering():
            return bool(await self._servers.ask(key, lambda redis: redis.hdel(key, target.mark)))

    async def list(self) -> list[Revocation]:
        """All revocations, newest first. Raises StoreDown."""
        async with answering():
            hashes = [redis_keys.revoked(partition) for partition in redis_keys.ALL_PARTITIONS]
            rows = answers(await self._servers.ask_each([(key, _all_at(key)) for key in hashes]))
        revocations = [_revocation(mark.decode(), fact.decode()) for fields in rows for mark, fact in fields.items()]
        return sorted(revocations, key=lambda revocation: (-revocation.at, revocation.target.mark))

    async def is_whole(self) -> bool:
        """Whether this life of each server was told everything. Raises StoreDown."""
        async with answering():
            self._lives, is_whole = await self._marks.look()
            return is_whole

    async def declare_whole(self) -> None:
        """Say that each server was told everything in the life of which `is_whole` was asked. Raises StoreDown."""
        async with answering():
            await self._marks.set(self._lives)

    async def close(self) -> None:
        """Close the connections."""
        await self._servers.aclose()


def _all_at(key: str) -> Question:
    return lambda redis: redis.hgetall(key)


def _key(target: Revoked) -> str:
    return redis_keys.revoked(redis_keys.partition_of(Scope(target.org, target.tenant, target.tenant)))


def _revocation(mark: str, fact: str) -> Revocation:
    at, _, by = fact.partition(" ")
    try:
        return Revocation(Revoked.parse(mark), by, Epoch(float(at)))
    except ValueError:
        raise StoreDown(f"what Redis holds for {mark} is not a revocation") from None
