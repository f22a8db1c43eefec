"""The approver's side of the store, over Redis."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import cast

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.adapters.redis.approval_index import ApprovalIndex, Head, Place, place_text, read_place
from aegis_authz.adapters.redis.approval_use import read_use
from aegis_authz.adapters.redis.client import answering, script
from aegis_authz.adapters.redis.servers import open_servers
from aegis_authz.approvals.document import approval_from_text
from aegis_authz.approvals.rules import already, conflict, not_found, require_step, standing
from aegis_authz.core.approval import Approval, ApprovalPage, ApprovalState, ApprovalUse
from aegis_authz.core.units import ApprovalId, Epoch
from aegis_authz.ports.data_plane import Clock, StoreDown

_log = logging.getLogger(__name__)
_CONNECTIONS = 4
_CHUNK = 200
_MOST_CHUNKS = 10
_OPEN = (b"pending", b"approved")


class RedisApprovals:
    """`ports.Approvals` over Redis."""

    def __init__(self, url: str, clock: Clock) -> None:
        self._servers = open_servers(url, _CONNECTIONS)
        self._clock = clock
        self._index = ApprovalIndex(self._servers)
        self._decide = script("decide.lua")
        self._expire = script("expire.lua")

    async def page(self, states: Collection[ApprovalState], limit: int, after: str) -> ApprovalPage:
        """At most `limit` approvals kept in one of these states, as `ports.Approvals` says. Raises StoreDown.

        What cannot be read, or is longer than any approval, is named and passed over: it is of one tenant, and the page
        of all.
        """
        words = {state.value.encode() for state in states}
        async with answering():
            names, unreadable, place = await self._sought(words, limit, read_place(after))
            rows = await self._index.rows(names)
        approvals: list[Approval] = []
        for name, fields in zip(names, rows, strict=True):
            try:
                approvals.append(self._approval(ApprovalId(name), fields))
            except StoreDown as fault:
                _log.error("%s", fault)
                unreadable.append(name)
        return ApprovalPage(tuple(approvals), tuple(unreadable), "" if place is None else place_text(place))

    async def _sought(
        self, words: Collection[bytes], limit: int, place: Place | None
    ) -> tuple[list[str], list[str], Place | None]:
        """The names of approvals in these states behind a place, of what cannot be read, and where one is then."""
        names: list[str] = []
        unreadable: list[str] = []
        for _ in range(_MOST_CHUNKS):
            chunk = await self._index.before(place, _CHUNK)
            for entry, head in zip(chunk, await self._index.heads([name for _, name in chunk]), strict=True):
                place = entry
                if head is Head.DAMAGED:
                    unreadable.append(entry[1])
                elif head in words:
                    names.append(entry[1])
                    if len(names) == limit:
                        return names, unreadable, place
            if len(chunk) < _CHUNK:
                return names, unreadable, None
        return names, unreadable, place

    async def get(self, approval_id: ApprovalId) -> Approval:
        """One approval. Raises ApprovalNotFound, StoreDown."""
        key = redis_keys.approval(approval_id)
        async with answering():
            fields = cast(dict[bytes, bytes], await self._servers.ask(key, lambda redis: redis.hgetall(key)))
        if not fields:
            raise not_found(approval_id)
        return self._approval(approval_id, fields)

    async def decide(self, approval_id: ApprovalId, to: ApprovalState, by: str, now: Epoch) -> Approval:
        """Decide an approval, as `ports.Approvals` says. Raises ApprovalNotFound, ApprovalConflict, StoreDown.

        After StoreDown the decision may have been made or not; `get` tells.
        """
        approval = await self.get(approval_id)
        require_step(approval, to, by)
        request, now_ms = approval.request, int(now * 1000)
        pointer = redis_keys.pending(request.scope, request.digest)
        keys = (redis_keys.approval(approval_id), pointer, *redis_keys.waiting(request.scope))
        arguments = (to.value, by, str(now_ms), approval_id, str(request.approvals))
        async with answering():
            answer = cast(list[bytes], await self._run(self._decide, keys, arguments))
        outcome, names = answer[0].decode(), _names(answer[1])
        if outcome == "unknown":
            raise not_found(approval_id)
        if outcome == "repeated":
            raise already(approval_id, by)
        if outcome == "counted":
            return replace(approval, approved_by=names)
        if outcome != "decided":
            raise conflict(approval_id, outcome)
        decided_by = ", ".join(names) if to is ApprovalState.APPROVED else by
        return replace(approval, state=to, decided_by=decided_by, decided_at=Epoch(now_ms / 1000), approved_by=names)

    async def ending(self, since: Epoch, until: Epoch, limit: int) -> tuple[list[ApprovalId], Epoch]:
        """The names of those whose time ends from `since` to `until`, as `ports.Approvals` says. Raises StoreDown."""
        async with answering():
            entries = await self._index.between(int(since * 1000), int(until * 1000), limit)
        names = [ApprovalId(name) for _, name in entries]
        return names, until if len(entries) < limit else Epoch(entries[-1][0] / 1000)

    async def overdue(self, since: Epoch, until: Epoch, limit: int) -> tuple[list[Approval], Epoch]:
        """Those whose time ended while they were pending or granted, as `ports.Approvals` says. Raises StoreDown."""
        async with answering():
            entries = await self._index.between(int(since * 1000), int(until * 1000), limit)
            heads = await self._index.heads([name for _, name in entries])
            names = [name for (_, name), head in zip(entries, heads, strict=True) if head in _OPEN]
            rows = await self._index.rows(names)
        late: list[Approval] = []
        for name, fields in zip(names, rows, strict=True):
            try:
                late.append(self._read(ApprovalId(name), fields))
            except StoreDown as fault:
                _log.error("%s", fault)
        return late, until if len(entries) < limit else Epoch(entries[-1][0] / 1000)

    async def expire(self, approval_id: ApprovalId, now: Epoch) -> None:
        """Keep it as expired, as `ports.Approvals` says. Raises StoreDown."""
        request = (await self.get(approval_id)).request
        keys = (
            redis_keys.approval(approval_id),
            redis_keys.pending(request.scope, request.digest),
            *redis_keys.waiting(request.scope),
        )
        async with answering():
            await self._run(self._expire, keys, (str(int(now * 1000)), approval_id))

    async def close(self) -> None:
        """Close the connections."""
        await self._servers.aclose()

    async def _run(self, text: str, keys: tuple[str, ...], arguments: tuple[str, ...]) -> object:
        return await self._servers.ask(keys[0], lambda redis: redis.eval(text, len(keys), *keys, *arguments))

    def _approval(self, approval_id: ApprovalId, fields: Mapping[bytes, bytes]) -> Approval:
        return standing(self._read(approval_id, fields), self._clock.now())

    def _read(self, approval_id: ApprovalId, fields: Mapping[bytes, bytes]) -> Approval:
        try:
            decided_at = fields.get(b"decided_at")
            return Approval(
                request=approval_from_text(fields[b"document"]),
                state=ApprovalState(fields[b"state"].decode()),
                decided_by=fields.get(b"decided_by", b"").decode(),
                decided_at=Epoch(int(decided_at) / 1000) if decided_at else None,
                approved_by=_names(fields.get(b"approved_by", b"")),
                use=_use(fields),
            )
        except (KeyError, ValueError):
            raise StoreDown(f"what Redis holds as {approval_id} is not an approval") from None


def _use(fields: Mapping[bytes, bytes]) -> ApprovalUse | None:
    used_at, outcome = fields.get(b"used_at"), fields.get(b"outcome")
    if used_at is None:
        return None
    return read_use((used_at if outcome is None else used_at + b" " + outcome).decode())


def _names(lines: bytes) -> tuple[str, ...]:
    return tuple(name for name in lines.decode().split("\n") if name)
