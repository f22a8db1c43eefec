"""What may be shown once, over Redis: one key for each, which forgets itself."""

from __future__ import annotations

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.client import answering
from aegis_authz.adapters.redis.servers import open_servers
from aegis_authz.core.units import Seconds
from aegis_authz.ports.data_plane import StoreDown

_CONNECTIONS = 4


class RedisSingleUses:
    """`ports.SingleUses` over Redis."""

    def __init__(self, url: str) -> None:
        self._servers = open_servers(url, _CONNECTIONS)

    async def claim(self, kind: str, name: str, life: Seconds, holder: str) -> str:
        """Who holds it from now on. Raises StoreDown."""
        key, life_ms = redis_keys.single_use(kind, name), max(1, int(life * 1000))
        async with answering():
            # Redis 6 has no SET with NX and GET at once; who comes second reads what the first wrote
            if await self._servers.ask(key, lambda redis: redis.set(key, holder, nx=True, px=life_ms)):
                return holder
            first = await self._servers.ask(key, lambda redis: redis.get(key))
        if not isinstance(first, bytes):
            raise StoreDown("what was shown before has just been forgotten; ask again")
        return first.decode("utf-8", "replace")

    async def close(self) -> None:
        """Close the connections."""
        await self._servers.aclose()
