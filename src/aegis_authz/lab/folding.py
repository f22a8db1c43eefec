"""The state of limits folded from records: each call settled at its time, each outcome where it was recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from aegis_authz.check.settling import is_released
from aegis_authz.core.approval import ApprovalState
from aegis_authz.core.charge import Adjustment
from aegis_authz.core.decision import Decision, Evaluation
from aegis_authz.core.effect import Effect
from aegis_authz.core.limit import Concurrency, Flags
from aegis_authz.core.price import OnError
from aegis_authz.core.record import CostState, OutcomeRecord, UsageRecord
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.core.units import DecisionId, Jti
from aegis_authz.lab.opa import LabError
from aegis_authz.lab.recorded_questions import RecordedQuestion
from aegis_authz.lab.settling import CallToSettle, SettledCall, settled_call
from aegis_authz.ports.data_plane import Approvals, Reservations, Store, StoreDown

_PERSON = "recorded"  # who lets through here what a person let through then
_MOST_OPEN = 200_000
_AS_CHARGED = Adjustment(gives_back=False, cost=None)


class FoldStore(Protocol):
    """The stores of a mesh, of one's own and empty at first; their approvals are decided at any recorded time."""

    @property
    def store(self) -> Store:
        """What calls are settled with."""
        ...

    @property
    def reservations(self) -> Reservations:
        """Where outcomes adjust what was charged."""
        ...

    @property
    def approvals(self) -> Approvals:
        """Where held calls are decided."""
        ...


@dataclass(frozen=True, slots=True)
class JudgedCall:
    """A recorded call and what OPA says of it. `serial` is no other call's."""

    recorded: RecordedQuestion
    decision: Decision | Refused
    serial: int


@dataclass(frozen=True, slots=True)
class _Reserved:
    """What a call charged, until its outcome is known; one that `is_under_way` holds a place among such calls."""

    scope: Scope
    decision_id: DecisionId
    is_under_way: bool


Step = JudgedCall | OutcomeRecord | UsageRecord


@dataclass(slots=True)
class Fold:
    """Limits and breakers of one snapshot, as recorded calls bring them up; it lives in one event loop.

    Calls of different tenants share no limit and go at once; those of one go one after another.
    """

    own: FoldStore
    snapshot: Snapshot
    _reserved: dict[str, _Reserved] = field(default_factory=dict)

    async def settle(self, steps: Sequence[Step]) -> dict[int, Decision]:
        """What became of the calls, by serial, in the order of the steps. Those that nothing counts are not among them.

        Raises LabError for what the store fails at.
        """
        by_tenant: dict[str, list[Step]] = {}
        tenants: dict[str, str] = {}
        for step in steps:
            if isinstance(step, JudgedCall):
                tenant = step.recorded.question.identity.scope.tenant_path
                tenants[step.recorded.record.decision_id] = tenant
                if self._is_counted(step):
                    by_tenant.setdefault(tenant, []).append(step)
            elif step.decision_id in tenants or step.decision_id in self._reserved:
                place = self._reserved.get(step.decision_id)
                tenant = tenants[step.decision_id] if place is None else place.scope.tenant_path
                by_tenant.setdefault(tenant, []).append(step)
        decisions: dict[int, Decision] = {}
        try:
            await asyncio.gather(*(self._settle(of_tenant, decisions) for of_tenant in by_tenant.values()))
        except (Refused, StoreDown) as fault:
            raise LabError(f"the limits could not be counted: {fault}") from None
        return decisions

    def _is_counted(self, call: JudgedCall) -> bool:
        identity, decision = call.recorded.question.identity, call.decision
        grant = identity.grant
        if grant is not None and any(narrowing.calls is not None for narrowing in grant.chain):
            return True
        has_limits = isinstance(decision, Decision) and bool(decision.limits)
        return has_limits or bool(self.snapshot.breakers.of(identity.scope))

    async def _settle(self, steps: Iterable[Step], decisions: dict[int, Decision]) -> None:
        for step in steps:
            if isinstance(step, JudgedCall):
                decisions[step.serial] = await self._call(step)
            else:
                await self._outcome(step)

    async def _call(self, judged: JudgedCall) -> Decision:
        """Settle a call. One that was held waits for nobody: it goes on where a person let it through then."""
        recorded, serial = judged.recorded, judged.serial
        cost = recorded.record.cost
        result = await self._settled(CallToSettle(recorded.question, judged.decision, 2 * serial, cost), recorded)
        if result.decision.effect is not Effect.APPROVAL_NEEDED:
            return result.decision
        opened, now = result.settled.approval_id, recorded.question.time
        if not recorded.was_let or result.settlement.opens is None:
            await self.own.approvals.decide(opened, ApprovalState.CANCELLED, _PERSON, now)
            return result.decision
        for number in range(result.settlement.opens.approvals):
            await self.own.approvals.decide(opened, ApprovalState.APPROVED, f"{_PERSON}-{number}", now)
        # what it uses counts from here on; that it was held is what the candidate makes of it
        await self._settled(CallToSettle(_again(recorded), judged.decision, 2 * serial + 1, cost), recorded)
        return result.decision

    async def _settled(self, call: CallToSettle, recorded: RecordedQuestion) -> SettledCall:
        result = await settled_call(call, self.snapshot, self.own.store)
        charging = result.draft.charging
        if charging is not None and charging.reserve and result.decision.effect.lets_through:
            if len(self._reserved) >= _MOST_OPEN:
                del self._reserved[next(iter(self._reserved))]
            is_under_way = any(isinstance(charge.limit.terms, Concurrency) for charge in charging.charges)
            scope = call.question.identity.scope
            self._reserved[recorded.record.decision_id] = _Reserved(scope, call.decision_id, is_under_way)
        return result

    async def _outcome(self, record: OutcomeRecord | UsageRecord) -> None:
        place = self._reserved.get(record.decision_id)
        if place is None:
            return
        if isinstance(record, OutcomeRecord) and record.is_superseded:
            return  # its usage has the word
        del self._reserved[record.decision_id]
        adjustment = adjustment_of_record(record)
        if place.is_under_way or adjustment != _AS_CHARGED:  # a third of the round trips, where most calls are good
            await self.own.reservations.adjust(place.scope, place.decision_id, adjustment)


def needs_sessions(decision: Decision | Refused, snapshot: Snapshot) -> bool:
    """Whether a limit of the decision keeps flags by session, of which records hold no name that an agent chose."""
    limits = snapshot.limits
    return isinstance(decision, Decision) and any(
        isinstance(limits[limit].terms, Flags) for limit in decision.limits if limit in limits
    )


def adjustment_of_record(record: OutcomeRecord | UsageRecord) -> Adjustment:
    """What an outcome made of what was charged, as it was settled then."""
    cost = record.cost
    if cost is not None and cost.state is CostState.MEASURED:
        return Adjustment(gives_back=False, cost=cost.money.micros)
    if isinstance(record, UsageRecord):
        return Adjustment(gives_back=False, cost=None)
    if cost is None:
        return Adjustment(gives_back=is_released(OnError.RELEASE, record), cost=None)
    return Adjustment(gives_back=cost.state is CostState.RELEASED, cost=None)


def _again(recorded: RecordedQuestion) -> Evaluation:
    """The same call with another token."""
    identity = recorded.question.identity
    return replace(recorded.question, identity=replace(identity, jti=Jti(f"{identity.jti}-again")))
