"""Stage 5 of the pipeline for calls that nobody sends: what they use, and what a store makes of their decisions."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

import orjson

from aegis_authz.check.charge import charging_of
from aegis_authz.check.cost import estimate_of
from aegis_authz.check.draft import Draft
from aegis_authz.check.settle import approval_terms, settled_decision, settlement_of
from aegis_authz.core.decision import Decision, Evaluation, denied
from aegis_authz.core.money import Money
from aegis_authz.core.refused import Refused
from aegis_authz.core.settlement import Settled, Settlement
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.core.units import DecisionId, Monotonic
from aegis_authz.ports.data_plane import Store

_PATIENCE = 20.0  # seconds


@dataclass(frozen=True, slots=True)
class CallToSettle:
    """A question and what OPA says of it. `serial` names the call in the store, and is no other's.

    `cost` is what the call was estimated to cost where that is known; None leaves it to the prices.
    """

    question: Evaluation
    decision: Decision | Refused
    serial: int
    cost: Money | None

    @property
    def decision_id(self) -> DecisionId:
        """Under which its charges are reserved."""
        return DecisionId(f"lab-{self.serial}")


@dataclass(frozen=True, slots=True)
class SettledCall:
    """What became of a call: the decision in the end, what was written, and what the store answered."""

    decision: Decision
    draft: Draft
    settlement: Settlement
    settled: Settled


async def settled_call(call: CallToSettle, snapshot: Snapshot, store: Store) -> SettledCall:
    """Settle a call under the snapshot that decided. Raises Refused for what the store fails at."""
    question, decision = call.question, call.decision
    draft = Draft(call.decision_id, "", question.environment, question.time, Monotonic(0.0), [])
    draft.identity, draft.call, draft.snapshot = question.identity, question.call, snapshot
    draft.size = len(orjson.dumps(question.call.parameters))
    if isinstance(decision, Refused):
        decision = denied(decision.reason, decision.detail, snapshot.revision)
    try:
        draft.cost = estimate_of(decision, draft)
        if draft.cost is not None and call.cost is not None and call.cost.currency == draft.cost.money.currency:
            draft.cost = replace(draft.cost, money=call.cost)
        draft.charging = charging_of(decision, draft)
        draft.approval = approval_terms(decision, draft)
    except Refused as refusal:
        draft.cost = draft.charging = None
        refused = denied(refusal.reason, refusal.detail, snapshot.revision, refusal.fault)
        decision = replace(refused, policies=decision.policies)
    token = f"{call.serial:032x}"
    settlement = settlement_of(decision, draft, lambda scope: store.approval_id(scope, token))
    settled = await store.settle(settlement, Monotonic(asyncio.get_running_loop().time() + _PATIENCE))
    return SettledCall(settled_decision(settled, settlement, decision), draft, settlement, settled)
