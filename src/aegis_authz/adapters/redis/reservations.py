"""What was charged and may still be adjusted, over Redis."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from itertools import chain

from aegis_authz.adapters.batching.batcher import Batcher
from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.client import answering, script
from aegis_authz.adapters.redis.servers import open_servers
from aegis_authz.core.charge import Adjustment
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import DecisionId, Monotonic

_CONNECTIONS = 2
_MOST_AT_ONCE = 64  # of some sixteen decisions each
_WITHIN_ANSWERING = Monotonic(math.inf)  # which ends what takes too long


class RedisReservations:
    """`ports.Reservations` over Redis: one round trip, and a script where anything changes.

    What is confirmed while a confirmation is under way goes together with the next.
    """

    def __init__(self, url: str) -> None:
        self._servers = open_servers(url, _CONNECTIONS)
        self._adjust = script("adjust.lua")
        self._confirmations: Batcher[Sequence[tuple[Scope, DecisionId]], None] = Batcher(
            self._confirm, _MOST_AT_ONCE, max_under_way=1
        )

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
        async with answering():
            await self._confirmations.ask(decisions, _WITHIN_ANSWERING)

    async def close(self) -> None:
        """Close the connections."""
        await self._confirmations.drain()
        await self._servers.aclose()

    async def _confirm(
        self, confirmations: list[Sequence[tuple[Scope, DecisionId]]], _deadline: Monotonic
    ) -> Sequence[None]:
        names = defaultdict[str, list[str]](list)
        for scope, decision_id in chain.from_iterable(confirmations):
            partition = redis_keys.partition_of(scope)
            names[partition].append(redis_keys.reserved(partition, decision_id))
        async with answering():
            await self._servers.delete([*names.values()])
        return [None] * len(confirmations)
