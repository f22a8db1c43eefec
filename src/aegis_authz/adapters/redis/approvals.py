"""The approver's side of the store, over Redis."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import cast

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.client import answering, open_redis, script
from aegis_authz.approvals.document import approval_from_text
from aegis_authz.approvals.rules import conflict, not_found, require_verdict, standing
from aegis_authz.core.approval import Approval, ApprovalState
from aegis_authz.core.units import ApprovalId, Epoch
from aegis_authz.ports.data_plane import Clock, StoreDown

_CONNECTIONS = 4


class RedisApprovals:
    """`ports.Approvals` over Redis."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._redis = open_redis(url, _CONNECTIONS)
        self._clock = clock
        self._decide = script("decide.lua")

    async def list(self, state: ApprovalState | None) -> list[Approval]:
        """All remembered approvals in that state, newest first. Raises StoreDown."""
        async with answering():
            pipeline = self._redis.pipeline(transaction=False)
            for partition in redis_keys.ALL_PARTITIONS:
                pipeline.zrange(redis_keys.approvals(partition), 0, -1)
            ids = [identifier.decode() for names in await pipeline.execute() for identifier in names]
            for identifier in ids:
                pipeline.hgetall(redis_keys.approval(identifier))
            rows: list[dict[bytes, bytes]] = await pipeline.execute()
        approvals = [self._approval(name, fields) for name, fields in zip(ids, rows, strict=True) if fields]
        matches = [approval for approval in approvals if state is None or approval.state is state]
        return sorted(matches, key=lambda approval: -approval.request.requested_at)

    async def get(self, approval_id: ApprovalId) -> Approval:
        """One approval. Raises ApprovalNotFound, StoreDown."""
        key = redis_keys.approval(approval_id)
        async with answering():
            fields = cast(dict[bytes, bytes], await self._redis.hgetall(key))
        if not fields:
            raise not_found(approval_id)
        return self._approval(approval_id, fields)

    async def decide(self, approval_id: ApprovalId, to: ApprovalState, by: str, now: Epoch) -> Approval:
        """Decide a pending approval. Raises ApprovalNotFound, ApprovalConflict, StoreDown.

        After StoreDown the decision may have been made or not; `get` tells.
        """
        approval = await self.get(approval_id)
        require_verdict(approval, to, by)
        request, now_ms = approval.request, int(now * 1000)
        pointer = redis_keys.pending(request.scope, request.digest)
        keys = (redis_keys.approval(approval_id), pointer, *redis_keys.waiting(request.scope))
        arguments = (to.value, by, str(now_ms), approval_id)
        async with answering():
            before = cast(bytes, await self._redis.eval(self._decide, len(keys), *keys, *arguments))
        if before == b"unknown":
            raise not_found(approval_id)
        if before != ApprovalState.PENDING.value.encode():
            raise conflict(approval_id, before.decode())
        return replace(approval, state=to, decided_by=by, decided_at=Epoch(now_ms / 1000))

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _approval(self, approval_id: ApprovalId, fields: Mapping[bytes, bytes]) -> Approval:
        try:
            decided_at = fields.get(b"decided_at")
            approval = Approval(
                request=approval_from_text(fields[b"document"]),
                state=ApprovalState(fields[b"state"].decode()),
                decided_by=fields.get(b"decided_by", b"").decode(),
                decided_at=Epoch(int(decided_at) / 1000) if decided_at else None,
            )
        except (KeyError, ValueError):
            raise StoreDown(f"what Redis holds as {approval_id} is not an approval") from None
        return standing(approval, self._clock.now())
