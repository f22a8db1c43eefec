"""The approver's side of the store, over Redis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from redis.exceptions import RedisError

from aegis_authz.adapters import redis_keys
from aegis_authz.adapters.redis_client import open_redis, script
from aegis_authz.core.approval import (
    TRANSITIONS,
    Approval,
    ApprovalConflict,
    ApprovalNotFound,
    ApprovalState,
)
from aegis_authz.ports import Clock, StoreDown
from aegis_authz.wire.approval_document import approval_from_text

_CONNECTIONS = 4


class RedisApprovals:
    """`ports.Approvals` over Redis."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._redis = open_redis(url, _CONNECTIONS)
        self._clock = clock
        self._decide = script("decide.lua")

    async def list(self, state: ApprovalState | None) -> list[Approval]:
        """All remembered approvals in that state, newest first. Raises StoreDown."""
        try:
            pipeline = self._redis.pipeline(transaction=False)
            for partition in redis_keys.ALL_PARTITIONS:
                pipeline.zrange(redis_keys.approvals(partition), 0, -1)
            ids = [identifier.decode() for found in await pipeline.execute() for identifier in found]
            for identifier in ids:
                pipeline.hgetall(redis_keys.approval(identifier))
            kept: list[dict[bytes, bytes]] = await pipeline.execute()
        except (RedisError, OSError) as fault:
            raise StoreDown(f"Redis cannot be reached: {type(fault).__name__}") from None
        approvals = [self._approval(fields) for fields in kept if fields]
        chosen = [approval for approval in approvals if state is None or approval.state is state]
        return sorted(chosen, key=lambda approval: -approval.request.requested_at)

    async def get(self, approval_id: str) -> Approval:
        """One approval. Raises ApprovalNotFound, StoreDown."""
        key = redis_keys.approval(approval_id)
        try:
            fields = cast(dict[bytes, bytes], await self._redis.hgetall(key))
        except (RedisError, OSError) as fault:
            raise StoreDown(f"Redis cannot be reached: {type(fault).__name__}") from None
        if not fields:
            raise ApprovalNotFound(f"no approval {approval_id} is remembered")
        return self._approval(fields)

    async def decide(self, approval_id: str, to: ApprovalState, by: str, now: float) -> Approval:
        """Decide a pending approval. Raises ApprovalNotFound, ApprovalConflict, StoreDown."""
        approval = await self.get(approval_id)
        request = approval.request
        check_decision(approval, to, by)
        pointer = redis_keys.pending(request.org, request.tenant, request.agent, request.digest, request.revision)
        try:
            had = await self._redis.eval(
                self._decide, 2, redis_keys.approval(approval_id), pointer, to.value, by, str(int(now * 1000))
            )
        except (RedisError, OSError) as fault:
            raise StoreDown(f"Redis cannot be reached: {type(fault).__name__}") from None
        if had != b"pending":
            raise conflict(approval_id, had.decode())
        return await self.get(approval_id)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _approval(self, fields: Mapping[bytes, bytes]) -> Approval:
        request = approval_from_text(fields[b"document"])
        state = ApprovalState(fields[b"state"].decode())
        if ApprovalState.EXPIRED in TRANSITIONS[state] and self._clock.now() >= request.expires_at:
            state = ApprovalState.EXPIRED
        decided_at = fields.get(b"decided_at")
        return Approval(
            request=request,
            state=state,
            decided_by=fields.get(b"decided_by", b"").decode(),
            decided_at=int(decided_at) / 1000 if decided_at else None,
        )


def check_decision(approval: Approval, to: ApprovalState, by: str) -> None:
    """Refuse a step the table does not have, and the requester's own hand. Raises ApprovalConflict."""
    if approval.state is not ApprovalState.PENDING or to not in TRANSITIONS[ApprovalState.PENDING]:
        raise conflict(approval.request.id, approval.state.value)
    if not by or by in (approval.request.agent, approval.request.scope):
        raise ApprovalConflict(f"approval {approval.request.id} cannot be decided by its own requester")


def conflict(approval_id: str, state: str) -> ApprovalConflict:
    """The words for a step that cannot be made any more."""
    return ApprovalConflict(f"approval {approval_id} is {state} and cannot be decided any more")
