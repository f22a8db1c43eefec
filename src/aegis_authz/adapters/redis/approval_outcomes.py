"""What became of calls that approvals let through, over Redis, on a connection that no decision waits for."""

from __future__ import annotations

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.approval_use import outcome_text
from aegis_authz.adapters.redis.client import answering, script
from aegis_authz.adapters.redis.servers import open_servers
from aegis_authz.core.approval import CallOutcome
from aegis_authz.core.units import ApprovalId


class RedisApprovalOutcomes:
    """`ports.ApprovalOutcomes` over Redis: one round trip."""

    def __init__(self, url: str) -> None:
        self._servers = open_servers(url, max_connections=1)
        self._conclude = script("conclude.lua")

    async def conclude(self, approval_id: ApprovalId, outcome: CallOutcome) -> bool:
        """Note it, as `ports.ApprovalOutcomes` says. Raises StoreDown, ApprovalNotFound."""
        key, text = redis_keys.approval(approval_id), outcome_text(outcome)
        async with answering():
            answer = await self._servers.ask(key, lambda redis: redis.eval(self._conclude, 1, key, text))
        return bool(answer == 1)

    async def close(self) -> None:
        """Close the connections."""
        await self._servers.aclose()
