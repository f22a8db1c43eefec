"""Revoked agents, tenants, keys and tokens, over Redis: the settle script refuses them from the next call on."""

from __future__ import annotations

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.client import answering, open_redis
from aegis_authz.core.revocation import Revocation, Revoked
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.ports.data_plane import StoreDown

_CONNECTIONS = 2


class RedisRevocations:
    """`ports.Revocations` over Redis. Kept until restored, and lost with Redis' data like everything in it."""

    def __init__(self, url: str) -> None:
        self._redis = open_redis(url, _CONNECTIONS)

    async def revoke(self, revocation: Revocation) -> None:
        """Refuse every call it is about. Raises StoreDown."""
        async with answering():
            fact = f"{revocation.at:.3f} {revocation.by}"
            await self._redis.hset(_key(revocation.target), revocation.target.mark, fact)

    async def restore(self, target: Revoked) -> bool:
        """Take a revocation back; returns whether there was one. Raises StoreDown."""
        async with answering():
            return bool(await self._redis.hdel(_key(target), target.mark))

    async def list(self) -> list[Revocation]:
        """All revocations, newest first. Raises StoreDown."""
        async with answering():
            pipeline = self._redis.pipeline(transaction=False)
            for partition in redis_keys.ALL_PARTITIONS:
                pipeline.hgetall(redis_keys.revoked(partition))
            rows: list[dict[bytes, bytes]] = await pipeline.execute()
        revocations = [_revocation(mark.decode(), fact.decode()) for fields in rows for mark, fact in fields.items()]
        return sorted(revocations, key=lambda revocation: (-revocation.at, revocation.target.mark))

    async def is_whole(self) -> bool:
        """Whether this life of the server was told everything. Raises StoreDown."""
        async with answering():
            mark = await self._redis.get(redis_keys.REVOCATIONS_WHOLE)
            return isinstance(mark, bytes) and mark.decode("ascii", "replace") == await self._life()

    async def declare_whole(self) -> None:
        """Say that this life of the server was told everything. Raises StoreDown."""
        async with answering():
            await self._redis.set(redis_keys.REVOCATIONS_WHOLE, await self._life())

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    async def _life(self) -> str:
        # a server that was started again, or took over, may have lost what it was told last
        facts = await self._redis.info("server")
        run_id = facts.get("run_id")
        return run_id.decode() if isinstance(run_id, bytes) else str(run_id)


def _key(target: Revoked) -> str:
    return redis_keys.revoked(redis_keys.partition_of(Scope(target.org, target.tenant, target.tenant)))


def _revocation(mark: str, fact: str) -> Revocation:
    at, _, by = fact.partition(" ")
    try:
        return Revocation(Revoked.parse(mark), by, Epoch(float(at)))
    except ValueError:
        raise StoreDown(f"what Redis holds for {mark} is not a revocation") from None
