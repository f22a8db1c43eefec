"""Revoked agents, over Redis: the settle script refuses them from the next call on."""

from __future__ import annotations

from redis.exceptions import RedisError

from aegis_authz.adapters import redis_keys
from aegis_authz.adapters.redis_client import open_redis
from aegis_authz.core.approval import partition_of
from aegis_authz.ports import StoreDown


class RedisRevocations:
    """Who is revoked, by scope (`org/tenant/agent`)."""

    def __init__(self, url: str) -> None:
        self._redis = open_redis(url, 2)

    async def revoke(self, org: str, tenant: str, agent: str, by: str, now: float) -> None:
        """Refuse every call of the agent from now on. Raises StoreDown."""
        try:
            await self._redis.hset(_key(org, tenant), f"{org}/{tenant}/{agent}", f"{now:.3f} {by}")
        except (RedisError, OSError) as fault:
            raise StoreDown(f"Redis cannot be reached: {type(fault).__name__}") from None

    async def restore(self, org: str, tenant: str, agent: str) -> bool:
        """Take a revocation back; returns whether there was one. Raises StoreDown."""
        try:
            return bool(await self._redis.hdel(_key(org, tenant), f"{org}/{tenant}/{agent}"))
        except (RedisError, OSError) as fault:
            raise StoreDown(f"Redis cannot be reached: {type(fault).__name__}") from None

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()


def _key(org: str, tenant: str) -> str:
    return redis_keys.revoked(partition_of(org, tenant))
