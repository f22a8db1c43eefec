"""What was charged and may still be adjusted, over Redis."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.client import answering, script
from aegis_authz.adapters.redis.servers import Question, answers, open_servers
from aegis_authz.core.charge import Adjustment
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import DecisionId

_CONNECTIONS = 2


class RedisReservations:
    """`ports.Reservations` over Redis: one round trip, and a script where anything changes."""

    def __init__(self, url: str) -> None:
        self._servers = open_servers(url, _CONNECTIONS)
        self._adjust = script("adjust.lua")

    async def adjust(self, scope: Scope, decision_id: DecisionId, adjustment: Adjustment) -> bool:
        """Settle what the decision charged, as `ports.Reservations` says. Raises StoreDown."""
        cost = "" if adjustment.cost is None else str(adjustment.cost)
        partition = redis_keys.partition_of(scope)
        # a key that never exists: with it a Redis that is moving the slot to another runs none of the script
        keys = (redis_keys.reserved(partition, decision_id), redis_keys.nothing(partition))
        arguments = (decision_id, str(int(adjustment.gives_back)), cost)
        async with answering():
            answer = await self._servers.ask(keys[0], lambda redis: redis.eval(self._adjust, 2, *keys, *arguments))
        return bool(answer == 1)

    async def confirm(self, decisions: Sequence[tuple[Scope, DecisionId]]) -> None:
        """Let stand what the decisions charged, as `ports.Reservations` says. Raises StoreDown."""
        names = defaultdict[str, list[str]](list)
        for scope, decision_id in decisions:
            partition = redis_keys.partition_of(scope)
            names[partition].append(redis_keys.reserved(partition, decision_id))
        async with answering():
            answers(await self._servers.ask_each([(keys[0], _deletion(keys)) for keys in names.values()]))

    async def close(self) -> None:
        """Close the connections."""
        await self._servers.aclose()


def _deletion(keys: Sequence[str]) -> Question:
    return lambda redis: redis.delete(*keys)
