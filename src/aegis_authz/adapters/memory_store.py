"""The memory twin of the Redis store, its approvals and its revocations: one object, one process, for tests."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from aegis_authz.adapters.redis_approvals import check_decision
from aegis_authz.core.approval import (
    TRANSITIONS,
    Approval,
    ApprovalNotFound,
    ApprovalRequest,
    ApprovalState,
)
from aegis_authz.core.identity import Override
from aegis_authz.core.settlement import Settled, Settlement, SettleOutcome
from aegis_authz.ports import Clock

_CLEAR = Settled(SettleOutcome.CLEAR, "", 0.0)


@dataclass
class _Memory:
    epoch: float | None
    tokens: dict[tuple[str, str, str, str], float] = field(default_factory=dict)
    revoked: set[str] = field(default_factory=set)
    approvals: dict[str, Approval] = field(default_factory=dict)


class MemoryStore:
    """`ports.Store` and `ports.Approvals` in one process's memory."""

    def __init__(self, clock: Clock, jti_margin: float) -> None:
        self._clock = clock
        self._jti_margin = jti_margin
        self._memory = _Memory(epoch=clock.now())

    async def settle(self, settlement: Settlement, deadline: float) -> Settled:
        """Settle one call as the Lua script does."""
        identity, memory = settlement.identity, self._memory
        lost = memory.epoch is None
        if memory.epoch is None:
            memory.epoch = self._clock.now() + 0.001
        token = (identity.org, identity.tenant, identity.issuer, identity.jti)
        seen = self._clock.now() < memory.tokens.get(token, 0.0)
        memory.tokens[token] = identity.expires_at + self._jti_margin
        if seen and not lost:
            return _refuse(SettleOutcome.REPLAYED)
        if lost or int(identity.issued_at * 1000) < int(memory.epoch * 1000):
            return _refuse(SettleOutcome.STORE_RESET)
        if identity.scope in memory.revoked:
            return _refuse(SettleOutcome.REVOKED)
        if settlement.claims is not None:
            return self._claim(settlement.claims, identity.scope, settlement.now)
        if settlement.opens is not None:
            return self._open(settlement.opens, settlement.now)
        return _CLEAR

    async def list(self, state: ApprovalState | None) -> list[Approval]:
        """All approvals in that state, newest first."""
        shown = [self._shown(approval) for approval in self._memory.approvals.values()]
        chosen = [approval for approval in shown if state is None or approval.state is state]
        return sorted(chosen, key=lambda approval: -approval.request.requested_at)

    async def get(self, approval_id: str) -> Approval:
        """One approval. Raises ApprovalNotFound."""
        approval = self._memory.approvals.get(approval_id)
        if approval is None:
            raise ApprovalNotFound(f"no approval {approval_id} is remembered")
        return self._shown(approval)

    async def decide(self, approval_id: str, to: ApprovalState, by: str, now: float) -> Approval:
        """Decide a pending approval. Raises ApprovalNotFound, ApprovalConflict."""
        approval = await self.get(approval_id)
        check_decision(approval, to, by)
        decided = replace(approval, state=to, decided_by=by, decided_at=now)
        self._memory.approvals[approval_id] = decided
        return decided

    async def revoke(self, org: str, tenant: str, agent: str, by: str, now: float) -> None:
        """Refuse every call of the agent from now on."""
        self._memory.revoked.add(f"{org}/{tenant}/{agent}")

    async def restore(self, org: str, tenant: str, agent: str) -> bool:
        """Take a revocation back; returns whether there was one."""
        scope = f"{org}/{tenant}/{agent}"
        was = scope in self._memory.revoked
        self._memory.revoked.discard(scope)
        return was

    def forget_everything(self) -> None:
        """Lose all data, as a Redis that comes back empty."""
        self._memory = _Memory(epoch=None)

    def _claim(self, claims: Override, scope: str, now: float) -> Settled:
        approval = self._memory.approvals.get(claims.approval_id)
        if approval is None:
            return _refuse(SettleOutcome.APPROVAL_NOT_GRANTED)
        if approval.state is ApprovalState.USED:
            return _refuse(SettleOutcome.APPROVAL_USED)
        request = approval.request
        if (request.scope, request.digest, request.revision) != (scope, claims.digest, claims.revision):
            return _refuse(SettleOutcome.APPROVAL_MISMATCH)
        if approval.state is not ApprovalState.APPROVED:
            return _refuse(SettleOutcome.APPROVAL_NOT_GRANTED)
        if now >= request.expires_at:
            return _refuse(SettleOutcome.APPROVAL_EXPIRED)
        self._memory.approvals[request.id] = replace(approval, state=ApprovalState.USED)
        return _CLEAR

    def _open(self, request: ApprovalRequest, now: float) -> Settled:
        for approval in self._memory.approvals.values():
            held = approval.request
            same = (held.scope, held.digest, held.revision) == (request.scope, request.digest, request.revision)
            if same and approval.state is ApprovalState.PENDING and now < held.expires_at:
                return Settled(SettleOutcome.OPENED, held.id, held.expires_at)
        self._memory.approvals[request.id] = Approval(request, ApprovalState.PENDING, "", None)
        return Settled(SettleOutcome.OPENED, request.id, request.expires_at)

    def _shown(self, approval: Approval) -> Approval:
        can_expire = ApprovalState.EXPIRED in TRANSITIONS[approval.state]
        if can_expire and self._clock.now() >= approval.request.expires_at:
            return replace(approval, state=ApprovalState.EXPIRED)
        return approval


def _refuse(outcome: SettleOutcome) -> Settled:
    return Settled(outcome, "", 0.0)
