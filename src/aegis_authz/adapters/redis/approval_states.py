"""How approvals stand, over Redis, on a connection that no decision waits for."""

from __future__ import annotations

from collections.abc import Sequence

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.client import answering
from aegis_authz.adapters.redis.servers import Question, answers, open_servers
from aegis_authz.core.approval import ApprovalState
from aegis_authz.core.units import ApprovalId
from aegis_authz.ports.data_plane import StoreDown


class RedisApprovalStates:
    """`ports.ApprovalStates` over Redis: one round trip for all, to each master that has some of them."""

    def __init__(self, url: str) -> None:
        self._servers = open_servers(url, max_connections=1)

    async def states(self, names: Sequence[ApprovalId]) -> Sequence[ApprovalState | None]:
        """The state that is kept of each, as `ports.ApprovalStates` says. Raises StoreDown, ApprovalNotFound."""
        keys = map(redis_keys.approval, names)
        async with answering():
            replies = answers(await self._servers.ask_each([(key, _state_of(key)) for key in keys]))
        return [None if reply is None else _state(reply, name) for reply, name in zip(replies, names, strict=True)]

    async def close(self) -> None:
        """Close the connections."""
        await self._servers.aclose()


def _state_of(key: str) -> Question:
    return lambda redis: redis.hget(key, "state")


def _state(reply: object, name: ApprovalId) -> ApprovalState:
    try:
        return ApprovalState(reply.decode() if isinstance(reply, bytes) else reply)
    except ValueError:
        raise StoreDown(f"what Redis holds as {name} is not an approval") from None
