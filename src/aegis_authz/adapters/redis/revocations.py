"""Revoked agents, over Redis: the settle script refuses them from the next call on."""

from __future__ import annotations

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.client import answering, open_redis
from aegis_authz.core.identity import Revocation
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.ports.data_plane import StoreDown

_CONNECTIONS = 2


class RedisRevocations:
    """`ports.Revocations` over Redis. Kept until restored, and lost with Redis' data like everything in it."""

    def __init__(self, url: str) -> None:
        self._redis = open_redis(url, _CONNECTIONS)

    async def revoke(self, scope: Scope, by: str, now: Epoch) -> None:
        """Refuse every call of the agent from now on. Raises StoreDown."""
        async with answering():
            await self._redis.hset(_key(scope), str(scope), f"{now:.3f} {by}")

    async def restore(self, scope: Scope) -> bool:
        """Take a revocation back; returns whether there was one. Raises StoreDown."""
        async with answering():
            return bool(await self._redis.hdel(_key(scope), str(scope)))

    async def list(self) -> list[Revocation]:
        """All revocations, newest first. Raises StoreDown."""
        async with answering():
            pipeline = self._redis.pipeline(transaction=False)
            for partition in redis_keys.ALL_PARTITIONS:
                pipeline.hgetall(redis_keys.revoked(partition))
            rows: list[dict[bytes, bytes]] = await pipeline.execute()
        revocations = [_revocation(scope.decode(), fact.decode()) for fields in rows for scope, fact in fields.items()]
        return sorted(revocations, key=lambda revocation: (-revocation.at, str(revocation.scope)))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def _key(scope: Scope) -> str:
    return redis_keys.revoked(redis_keys.partition_of(scope))


def _revocation(scope: str, fact: str) -> Revocation:
    at, _, by = fact.partition(" ")
    try:
        return Revocation(Scope.parse(scope), by, Epoch(float(at)))
    except ValueError:
        raise StoreDown(f"what Redis holds for {scope} is not a revocation") from None
