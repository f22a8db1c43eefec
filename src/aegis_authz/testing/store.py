"""The memory twin of the Redis store, its approvals and its revocations: one object, one process, for tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace

from aegis_authz.approvals.rules import decided, not_found, standing
from aegis_authz.core.approval import (
    MOST_WAITING_OF_AGENT,
    MOST_WAITING_OF_TENANT,
    Approval,
    ApprovalPage,
    ApprovalRequest,
    ApprovalState,
    ApprovalUse,
    CallOutcome,
)
from aegis_authz.core.breaker import Quarantine
from aegis_authz.core.charge import Account, Adjustment, Charge, Charging
from aegis_authz.core.grant import Narrowing
from aegis_authz.core.identity import Override
from aegis_authz.core.limit import Exceed
from aegis_authz.core.revocation import Revocation, Revoked, marks_of
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import SETTLE_REFUSALS, GrantUse, Settled, Settlement, SettleOutcome
from aegis_authz.core.units import ApprovalId, DecisionId, Epoch, Millis, Monotonic, Seconds
from aegis_authz.ports.data_plane import Clock
from aegis_authz.testing.limits import Ledger
from aegis_authz.testing.warning import warn_outside_tests

_NO_APPROVAL, _NEVER = ApprovalId(""), Epoch(0.0)
_NOT_QUARANTINED = Millis(0)
_CLEAR = Settled(SettleOutcome.CLEAR, _NO_APPROVAL, _NEVER, "", (), _NOT_QUARANTINED, None)
_LOST = -1


@dataclass
class _Memory:
    began: int
    epochs: dict[str, int] = field(default_factory=dict)
    spent: dict[tuple[str, ...], float] = field(default_factory=dict)
    revoked: dict[str, Revocation] = field(default_factory=dict)
    whole_in: int = 0
    approvals: dict[str, Approval] = field(default_factory=dict)
    granted: Counter[tuple[str, str]] = field(default_factory=Counter)
    ledger: Ledger = field(default_factory=Ledger)
    is_counted: bool = False
    life: int = 1


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
    def memory(self) -> _Memory:
        """What it remembers, for the twin of the revocations."""
        return self._memory

    @property
    def revoked(self) -> dict[str, Revocation]:
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
        spending = settlement.spending
        mark = (tenant, *spending.names)
        is_replay = self._clock.now() < memory.spent.get(mark, 0.0)
        if not is_replay:
            memory.spent[mark] = self._clock.now() + spending.life + self._jti_margin
        if epoch == _LOST:
            memory.epochs[tenant] = _ms(self._clock.now()) + 1
            return _refuse(SettleOutcome.STORE_RESET)
        if is_replay:
            return _refuse(SettleOutcome.REPLAYED)
        if _ms(spending.issued_at) < epoch:
            return _refuse(SettleOutcome.STORE_RESET)
        if any(mark in memory.revoked for mark in marks_of(identity)):
            return _refuse(SettleOutcome.REVOKED)
        now = _ms(settlement.now)
        until = memory.ledger.quarantined_until(identity.scope, now)
        if until:
            return replace(_refuse(SettleOutcome.QUARANTINED), quarantined_until=until)
        if settlement.tally is not None:
            memory.ledger.tally(settlement.tally, identity.scope, now)
            return replace(_CLEAR, quarantined_until=memory.ledger.quarantined_until(identity.scope, now))
        if settlement.charging is None:
            return self._operate(settlement, epoch)
        return self._charge(settlement, settlement.charging, epoch)

    async def page(self, states: Collection[ApprovalState], limit: int, after: str) -> ApprovalPage:
        """At most `limit` approvals kept in one of these states, those that expire last first."""
        kept = sorted(self._memory.approvals.values(), key=_place, reverse=True)
        matches = [one for one in kept if one.state in states and (not after or _place(one) < _read_place(after))]
        more = "{}-{}".format(*_place(matches[limit - 1])) if len(matches) > limit else ""
        return ApprovalPage(tuple(map(self._standing, matches[:limit])), (), more)

    async def get(self, approval_id: ApprovalId) -> Approval:
        """One approval. Raises ApprovalNotFound."""
        approval = self._memory.approvals.get(approval_id)
        if approval is None:
            raise not_found(approval_id)
        return self._standing(approval)

    async def decide(self, approval_id: ApprovalId, to: ApprovalState, by: str, now: Epoch) -> Approval:
        """Decide a pending approval. Raises ApprovalNotFound, ApprovalConflict."""
        approval = await self.get(approval_id)
        after = decided(approval, to, by, Epoch(_ms(now) / 1000))
        self._memory.approvals[approval_id] = after
        return after

    async def states(self, names: Sequence[ApprovalId]) -> Sequence[ApprovalState | None]:
        """The state that is kept of each, as `ports.ApprovalStates` says."""
        approvals = [self._memory.approvals.get(name) for name in names]
        return [None if approval is None else approval.state for approval in approvals]

    async def ending(self, since: Epoch, until: Epoch, limit: int) -> tuple[list[ApprovalId], Epoch]:
        """The names of those whose time ends from `since` to `until`."""
        ending = [
            approval
            for approval in self._memory.approvals.values()
            if _ms(since) <= _ms(approval.request.expires_at) <= _ms(until)
        ]
        ending.sort(key=_place)
        names = [approval.request.id for approval in ending[:limit]]
        return names, until if len(ending) < limit else _in_ms(ending[limit - 1].request.expires_at)

    async def overdue(self, since: Epoch, until: Epoch, limit: int) -> tuple[list[Approval], Epoch]:
        """Those whose time ended from `since` to `until` while they were pending or granted."""
        late = [
            approval
            for approval in self._memory.approvals.values()
            if approval.state in (ApprovalState.PENDING, ApprovalState.APPROVED)
            and _ms(since) <= _ms(approval.request.expires_at) <= _ms(until)
        ]
        late.sort(key=_place)
        return late[:limit], until if len(late) <= limit else _in_ms(late[limit - 1].request.expires_at)

    async def expire(self, approval_id: ApprovalId, now: Epoch) -> None:
        """Keep it as expired, if its time is over and it is pending or granted still."""
        approval = self._memory.approvals.get(approval_id)
        if approval is not None and standing(approval, now).state is ApprovalState.EXPIRED:
            self._memory.approvals[approval_id] = replace(approval, state=ApprovalState.EXPIRED)

    async def conclude(self, approval_id: ApprovalId, outcome: CallOutcome) -> bool:
        """Note what became of the call that the approval let through."""
        approval = self._memory.approvals.get(approval_id)
        if approval is None or approval.use is None or approval.use.outcome is not None:
            return False
        use = replace(approval.use, outcome=replace(outcome, time=_in_ms(outcome.time)))
        self._memory.approvals[approval_id] = replace(approval, use=use)
        return True

    async def adjust(self, scope: Scope, decision_id: DecisionId, adjustment: Adjustment) -> bool:
        """Make what the decision charged into what its call came to."""
        return self._memory.ledger.adjust(decision_id, adjustment, _ms(self._clock.now()))

    async def confirm(self, decisions: Sequence[tuple[Scope, DecisionId]]) -> None:
        """Let stand what these decisions charged."""
        for _, decision_id in decisions:
            self._memory.ledger.reserved.pop(decision_id, None)

    async def is_counted(self) -> bool:
        """Whether nothing that was charged counts as forgotten."""
        return self._memory.is_counted

    async def life(self) -> str:
        """The life of the memory."""
        return str(self._memory.life)

    async def declare_counted(self) -> None:
        """Count nothing that was charged as forgotten."""
        self._memory.is_counted = True

    async def quarantine(self, quarantine: Quarantine) -> None:
        """Refuse every call of the agent until then."""
        self._memory.ledger.quarantined[str(quarantine.scope)] = _ms(quarantine.until)
        self._memory.ledger.reasons[str(quarantine.scope)] = (_ms(quarantine.since), quarantine.by)

    async def release(self, scope: Scope, now: Epoch) -> bool:
        """Let policy judge the agent again; returns whether it was quarantined."""
        self._memory.ledger.reasons.pop(str(scope), None)
        return self._memory.ledger.quarantined.pop(str(scope), 0) > _ms(now)

    async def quarantines(self, now: Epoch) -> list[Quarantine]:
        """Who is quarantined, those that are for longest first."""
        ledger, entries = self._memory.ledger, list[Quarantine]()
        for name, until in ledger.quarantined.items():
            since, by = ledger.reasons[name]
            if until > _ms(now):
                entries.append(Quarantine(Scope.parse(name), Epoch(since / 1000), Epoch(until / 1000), by))
        return sorted(entries, key=lambda entry: (-entry.until, str(entry.scope)))

    async def accounts(self, scope: Scope, charges: Sequence[Charge], now: Epoch) -> list[Account]:
        """How limits stand."""
        return self._memory.ledger.accounts(charges, _ms(now))

    def start_again(self) -> None:
        """Keep the data, as a Redis that was started again or took over: what it lost of them nobody knows."""
        self._memory.began = _LOST
        self._memory.is_counted = False
        self._memory.life += 1
        self._memory.epochs.clear()

    def forget_everything(self) -> None:
        """Lose all data, as a Redis that comes back empty."""
        self._memory = _Memory(_LOST)

    def _charge(self, settlement: Settlement, charging: Charging, epoch: int) -> Settled:
        """Look at all charges, and write them when the call passes."""
        now, ledger = _ms(settlement.now), self._memory.ledger
        accounts, over = ledger.look(charging.charges, now, 0 if self._memory.is_counted else epoch)
        has_approval = settlement.claims is not None or settlement.opens is not None
        if over is Exceed.DENY or (over is Exceed.APPROVAL_NEEDED and not has_approval):
            return replace(_refuse(SettleOutcome.LIMIT_EXCEEDED), accounts=accounts)
        if charging.is_held_when_over and over is not Exceed.APPROVAL_NEEDED:
            settlement = replace(settlement, claims=None, opens=None)  # there is nothing to approve
        settled = self._operate(settlement, epoch)
        if settled.outcome in (SettleOutcome.CLEAR, SettleOutcome.APPROVED):
            accounts = ledger.charge(charging, accounts, now)
        return replace(settled, accounts=accounts)

    def _operate(self, settlement: Settlement, epoch: int) -> Settled:
        before = dict(self._memory.approvals)
        settled = _CLEAR
        if settlement.claims is not None:
            settled = self._claim(settlement.claims, settlement.identity.scope, settlement.now, epoch)
        if settlement.opens is not None:
            settled = self._open(settlement.opens, settlement.now, epoch)
        if settled.outcome in SETTLE_REFUSALS:
            return settled
        for use in settlement.grants:
            refusal = self._used_up(settlement.identity.scope, use, epoch)
            if refusal is not None:
                self._memory.approvals = before  # all or nothing
                return _refuse(refusal)
        if settled.outcome in (SettleOutcome.CLEAR, SettleOutcome.APPROVED):
            for use in settlement.grants:
                self._memory.granted[_granted(settlement.identity.scope, use.narrowing)] += use.calls
        return settled

    def _used_up(self, scope: Scope, use: GrantUse, began: int) -> SettleOutcome | None:
        if _ms(use.narrowing.issued_at) < began:
            return SettleOutcome.STORE_RESET
        after = self._memory.granted[_granted(scope, use.narrowing)] + use.calls
        return SettleOutcome.GRANT_USED_UP if after > (use.narrowing.calls or 0) else None

    def _claim(self, claims: Override, scope: Scope, now: Epoch, began: int) -> Settled:
        approval = self._memory.approvals.get(claims.approval_id)
        if approval is None or approval.request.scope.tenant_path != scope.tenant_path:
            return _refuse(SettleOutcome.APPROVAL_NOT_GRANTED)
        request = approval.request
        if approval.state is ApprovalState.USED:
            is_same = (request.scope, request.digest) == (scope, claims.digest)
            return replace(_refuse(SettleOutcome.APPROVAL_USED), former_use=approval.use if is_same else None)
        if (request.scope, request.digest) != (scope, claims.digest):
            return _refuse(SettleOutcome.APPROVAL_MISMATCH)
        if approval.state is ApprovalState.STALE or request.basis != claims.basis:
            return _refuse(SettleOutcome.APPROVAL_STALE)
        if approval.state is ApprovalState.EXPIRED:
            return _refuse(SettleOutcome.APPROVAL_EXPIRED)
        if approval.state is not ApprovalState.APPROVED:
            return _refuse(SettleOutcome.APPROVAL_NOT_GRANTED)
        if _ms(now) >= _ms(request.expires_at) or _is_void(approval, began):
            return _refuse(SettleOutcome.APPROVAL_EXPIRED)
        return self._use(approval, now)

    def _use(self, approval: Approval, now: Epoch) -> Settled:
        request = approval.request
        use = ApprovalUse(_in_ms(now), None)
        self._memory.approvals[request.id] = replace(approval, state=ApprovalState.USED, use=use)
        return _approval_settled(SettleOutcome.APPROVED, request, approval.decided_by)

    def _open(self, request: ApprovalRequest, now: Epoch, began: int) -> Settled:
        former = self._former(request, now, began)
        if former is not None and former.request.basis == request.basis:
            if former.state is ApprovalState.APPROVED:
                return self._use(former, now)
            return _approval_settled(SettleOutcome.OPENED, former.request, "")
        pending = [
            approval.request.scope
            for approval in self._memory.approvals.values()
            if approval.state is ApprovalState.PENDING
            and _ms(now) < _ms(approval.request.expires_at)
            and approval is not former
        ]
        of_tenant = sum(scope.tenant_path == request.scope.tenant_path for scope in pending)
        if pending.count(request.scope) >= MOST_WAITING_OF_AGENT or of_tenant >= MOST_WAITING_OF_TENANT:
            return _refuse(SettleOutcome.APPROVALS_FULL)
        if former is not None:
            self._memory.approvals[former.request.id] = replace(former, state=ApprovalState.STALE)
        self._memory.approvals[request.id] = Approval(request, ApprovalState.PENDING, "", None, (), None)
        outcome = SettleOutcome.OPENED if former is None else SettleOutcome.REOPENED
        return _approval_settled(outcome, request, "")

    def _former(self, request: ApprovalRequest, now: Epoch, began: int) -> Approval | None:
        """The approval of this very call that is pending or granted, stale or not."""
        for approval in self._memory.approvals.values():
            earlier = approval.request
            if (earlier.scope, earlier.digest) != (request.scope, request.digest) or _ms(now) >= _ms(
                earlier.expires_at
            ):
                continue
            is_granted = approval.state is ApprovalState.APPROVED and not _is_void(approval, began)
            if approval.state is ApprovalState.PENDING or is_granted:
                return approval
        return None

    def _standing(self, approval: Approval) -> Approval:
        return standing(approval, self._clock.now())


def _is_void(approval: Approval, began: int) -> bool:
    """Whether a grant is older than the memory, which may have forgotten its use."""
    return approval.decided_at is None or _ms(approval.decided_at) < began


class MemoryRevocations:
    """`ports.Revocations` in the memory of a store."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._life = 0

    async def revoke(self, revocation: Revocation) -> None:
        """Refuse every call it is about."""
        self._store.revoked[revocation.target.mark] = replace(revocation, at=Epoch(round(revocation.at, 3)))

    async def restore(self, target: Revoked) -> bool:
        """Take a revocation back; returns whether there was one."""
        return self._store.revoked.pop(target.mark, None) is not None

    async def list(self) -> list[Revocation]:
        """All revocations, newest first."""
        return sorted(self._store.revoked.values(), key=lambda entry: (-entry.at, entry.target.mark))

    async def is_whole(self) -> bool:
        """Whether this memory was told everything."""
        self._life = self._store.memory.life
        return self._store.memory.whole_in == self._life

    async def declare_whole(self) -> None:
        """Say that it was, in the life of which was asked."""
        self._store.memory.whole_in = self._life


def _granted(scope: Scope, narrowing: Narrowing) -> tuple[str, str]:
    return scope.tenant_path, narrowing.id


def _refuse(outcome: SettleOutcome) -> Settled:
    return Settled(outcome, _NO_APPROVAL, _NEVER, "", (), _NOT_QUARANTINED, None)


def _approval_settled(outcome: SettleOutcome, request: ApprovalRequest, granted_by: str) -> Settled:
    return Settled(outcome, request.id, _in_ms(request.expires_at), granted_by, (), _NOT_QUARANTINED, None)


def _place(approval: Approval) -> tuple[int, str]:
    return _ms(approval.request.expires_at), approval.request.id


def _read_place(text: str) -> tuple[int, str]:
    moment, _, name = text.partition("-")
    return int(moment), name


def _in_ms(moment: Epoch) -> Epoch:
    return Epoch(_ms(moment) / 1000)


def _ms(seconds: float) -> int:
    return int(seconds * 1000)
