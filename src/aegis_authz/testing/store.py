"""The memory twin of the Redis store, its approvals and its revocations: one object, one process, for tests."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from aegis_authz.approvals.rules import not_found, require_verdict, standing
from aegis_authz.core.approval import (
    MOST_WAITING_OF_AGENT,
    MOST_WAITING_OF_TENANT,
    Approval,
    ApprovalRequest,
    ApprovalState,
)
from aegis_authz.core.identity import Override, Revocation
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import Settled, Settlement, SettleOutcome
from aegis_authz.core.units import ApprovalId, Epoch, Monotonic, Seconds
from aegis_authz.ports.data_plane import Clock
from aegis_authz.testing.warning import warn_outside_tests

_NO_APPROVAL, _NEVER = ApprovalId(""), Epoch(0.0)
_CLEAR = Settled(SettleOutcome.CLEAR, _NO_APPROVAL, _NEVER)
_LOST = -1


@dataclass
class _Memory:
    began: int
    epochs: dict[str, int] = field(default_factory=dict)
    tokens: dict[tuple[str, str, str], float] = field(default_factory=dict)
    revoked: dict[Scope, Revocation] = field(default_factory=dict)
    approvals: dict[str, Approval] = field(default_factory=dict)


class MemoryStore:
    """`ports.Store` and `ports.Approvals` in one process's memory; its memory begins when it is made.

    Each tenant has a memory of its own.
    """

    def __init__(self, clock: Clock, jti_margin: Seconds, *, for_tests: bool = False) -> None:
        warn_outside_tests(self, for_tests)
        self._clock = clock
        self._jti_margin = jti_margin
        self._memory = _Memory(_ms(clock.now()))

    @property
    def revoked(self) -> dict[Scope, Revocation]:
        """Who is revoked, for the twin of the revocations."""
        return self._memory.revoked

    def approval_id(self, scope: Scope, token: str) -> ApprovalId:
        """The id of a new approval."""
        return ApprovalId(f"apr_{token}")

    async def settle(self, settlement: Settlement, deadline: Monotonic) -> Settled:
        """Settle one call as settle.lua does."""
        identity, memory = settlement.identity, self._memory
        tenant = identity.scope.tenant_path
        epoch = memory.epochs.get(tenant, memory.began)
        token = (tenant, identity.issuer, identity.jti)
        is_replay = self._clock.now() < memory.tokens.get(token, 0.0)
        if not is_replay:
            life = identity.expires_at - identity.issued_at
            memory.tokens[token] = self._clock.now() + life + self._jti_margin
        if epoch == _LOST:
            memory.epochs[tenant] = _ms(self._clock.now()) + 1
            return _refuse(SettleOutcome.STORE_RESET)
        if is_replay:
            return _refuse(SettleOutcome.REPLAYED)
        if _ms(identity.issued_at) < epoch:
            return _refuse(SettleOutcome.STORE_RESET)
        if identity.scope in memory.revoked:
            return _refuse(SettleOutcome.REVOKED)
        if settlement.claims is not None:
            return self._claim(settlement.claims, identity.scope, settlement.now, epoch)
        if settlement.opens is not None:
            return self._open(settlement.opens, settlement.now, epoch)
        return _CLEAR

    async def list(self, state: ApprovalState | None) -> list[Approval]:
        """All approvals in that state, newest first."""
        approvals = [self._standing(approval) for approval in self._memory.approvals.values()]
        matches = [approval for approval in approvals if state is None or approval.state is state]
        return sorted(matches, key=lambda approval: -approval.request.requested_at)

    async def get(self, approval_id: ApprovalId) -> Approval:
        """One approval. Raises ApprovalNotFound."""
        approval = self._memory.approvals.get(approval_id)
        if approval is None:
            raise not_found(approval_id)
        return self._standing(approval)

    async def decide(self, approval_id: ApprovalId, to: ApprovalState, by: str, now: Epoch) -> Approval:
        """Decide a pending approval. Raises ApprovalNotFound, ApprovalConflict."""
        approval = await self.get(approval_id)
        require_verdict(approval, to, by)
        decided = replace(approval, state=to, decided_by=by, decided_at=Epoch(_ms(now) / 1000))
        self._memory.approvals[approval_id] = decided
        return decided

    def start_again(self) -> None:
        """Keep the data, as a Redis that was started again or took over: what it lost of them nobody knows."""
        self._memory.began = _LOST
        self._memory.epochs.clear()

    def forget_everything(self) -> None:
        """Lose all data, as a Redis that comes back empty."""
        self._memory = _Memory(_LOST)

    def _claim(self, claims: Override, scope: Scope, now: Epoch, began: int) -> Settled:
        approval = self._memory.approvals.get(claims.approval_id)
        if approval is None or approval.request.scope.tenant_path != scope.tenant_path:
            return _refuse(SettleOutcome.APPROVAL_NOT_GRANTED)
        if approval.state is ApprovalState.USED:
            return _refuse(SettleOutcome.APPROVAL_USED)
        request = approval.request
        if (request.scope, request.digest, request.revision) != (scope, claims.digest, claims.revision):
            return _refuse(SettleOutcome.APPROVAL_MISMATCH)
        if approval.state is not ApprovalState.APPROVED:
            return _refuse(SettleOutcome.APPROVAL_NOT_GRANTED)
        if _ms(now) >= _ms(request.expires_at) or _is_void(approval, began):
            return _refuse(SettleOutcome.APPROVAL_EXPIRED)
        self._memory.approvals[request.id] = replace(approval, state=ApprovalState.USED)
        return _CLEAR

    def _open(self, request: ApprovalRequest, now: Epoch, began: int) -> Settled:
        for approval in self._memory.approvals.values():
            candidate = approval.request
            same = (candidate.scope, candidate.digest, candidate.revision) == (
                request.scope,
                request.digest,
                request.revision,
            )
            if not same or _ms(now) >= _ms(candidate.expires_at):
                continue
            if approval.state is ApprovalState.PENDING:
                return Settled(SettleOutcome.OPENED, candidate.id, Epoch(_ms(candidate.expires_at) / 1000))
            if approval.state is ApprovalState.APPROVED and not _is_void(approval, began):
                self._memory.approvals[candidate.id] = replace(approval, state=ApprovalState.USED)
                return Settled(SettleOutcome.APPROVED, candidate.id, Epoch(_ms(candidate.expires_at) / 1000))
        pending = [
            approval.request.scope
            for approval in self._memory.approvals.values()
            if approval.state is ApprovalState.PENDING and _ms(now) < _ms(approval.request.expires_at)
        ]
        of_tenant = sum(scope.tenant_path == request.scope.tenant_path for scope in pending)
        if pending.count(request.scope) >= MOST_WAITING_OF_AGENT or of_tenant >= MOST_WAITING_OF_TENANT:
            return _refuse(SettleOutcome.APPROVALS_FULL)
        self._memory.approvals[request.id] = Approval(request, ApprovalState.PENDING, "", None)
        return Settled(SettleOutcome.OPENED, request.id, Epoch(_ms(request.expires_at) / 1000))

    def _standing(self, approval: Approval) -> Approval:
        return standing(approval, self._clock.now())


def _is_void(approval: Approval, began: int) -> bool:
    """Whether a grant is older than the memory, which may have forgotten its use."""
    return approval.decided_at is None or _ms(approval.decided_at) < began


class MemoryRevocations:
    """`ports.Revocations` in the memory of a store."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def revoke(self, scope: Scope, by: str, now: Epoch) -> None:
        """Refuse every call of the agent from now on."""
        self._store.revoked[scope] = Revocation(scope, by, Epoch(round(now, 3)))

    async def restore(self, scope: Scope) -> bool:
        """Take a revocation back; returns whether there was one."""
        return self._store.revoked.pop(scope, None) is not None

    async def list(self) -> list[Revocation]:
        """All revocations, newest first."""
        return sorted(self._store.revoked.values(), key=lambda revocation: (-revocation.at, str(revocation.scope)))


def _refuse(outcome: SettleOutcome) -> Settled:
    return Settled(outcome, _NO_APPROVAL, _NEVER)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
