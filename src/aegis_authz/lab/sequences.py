"""Sequences played: each call judged by OPA and settled by the store of a mesh, at the time that the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import orjson

from aegis_authz.check.charge import charging_of
from aegis_authz.check.cost import estimate_of
from aegis_authz.check.draft import Draft
from aegis_authz.check.settle import approval_terms, settled_decision, settlement_of
from aegis_authz.core.charge import Charge
from aegis_authz.core.decision import ApprovalTerms, Decision, denied
from aegis_authz.core.effect import Effect
from aegis_authz.core.limit import Budget
from aegis_authz.core.money import MICRO
from aegis_authz.core.refused import Refused
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.core.units import DecisionId, Jti, Monotonic, Seconds
from aegis_authz.lab.calls import TriedCall, evaluation_of
from aegis_authz.lab.sequence_cases import Play
from aegis_authz.ports.data_plane import Store


@dataclass(frozen=True, slots=True)
class Played:
    """One call after it was settled.

    `left` is what is left of each limit that it met, by its id, on a workbench by its word; money in units. `approval`
    is who may let the call pass, None where nobody is asked.
    """

    decided: Decision
    left: Mapping[str, float]
    approval: ApprovalTerms | None


_PATIENCE = 20.0  # seconds


class SequenceStore(Protocol):
    """A store of one's own, empty at first."""

    @property
    def store(self) -> Store:
        """What calls are settled with."""
        ...

    async def forget(self) -> None:
        """Empty it, as if its memory had begun before all time."""
        ...


async def played(
    calls: Sequence[tuple[TriedCall, Play]],
    decisions: Sequence[Decision | Refused],
    snapshot: Snapshot,
    own: SequenceStore,
) -> list[list[Played]]:
    """Settle the calls of all sequences, each sequence on an empty store; for each step what became of each repetition.

    `decisions` are what OPA says of the calls under the revision of `snapshot`. Raises Refused for what the store
    fails at.
    """
    before: int | None = None
    results: list[list[Played]] = []
    serial = 0
    for (call, play), decision in zip(calls, decisions, strict=True):
        if play.sequence != before:
            await own.forget()
            before = play.sequence
        step = []
        for _ in range(play.times):
            serial += 1
            step.append(await _settled(call, play, decision, snapshot, own.store, serial))
        results.append(step)
    return results


async def _settled(
    call: TriedCall, play: Play, decision: Decision | Refused, snapshot: Snapshot, store: Store, serial: int
) -> Played:
    """Stage 5 of the pipeline, for a call that nobody sent."""
    evaluation = evaluation_of(call, snapshot.catalogue, None, Jti(f"lab-{serial}"), play.session)
    draft = Draft(DecisionId(f"lab-{serial}"), "", evaluation.environment, evaluation.time, Monotonic(0.0))
    draft.identity, draft.call, draft.snapshot = evaluation.identity, evaluation.call, snapshot
    draft.size = len(orjson.dumps(evaluation.call.parameters))
    if isinstance(decision, Refused):
        decision = denied(decision.reason, decision.detail, snapshot.revision)
    try:
        draft.cost = estimate_of(decision, draft)
        draft.charging = charging_of(decision, draft)
        draft.approval = approval_terms(decision, draft)
    except Refused as refusal:
        draft.cost = draft.charging = None
        refused = denied(refusal.reason, refusal.detail, snapshot.revision, refusal.fault)
        decision = replace(refused, policies=decision.policies)
    token = f"{serial:032x}"
    settlement = settlement_of(decision, draft, lambda scope: store.approval_id(scope, token))
    settled = await store.settle(settlement, Monotonic(asyncio.get_running_loop().time() + _PATIENCE))
    charges = () if draft.charging is None else draft.charging.charges
    left = {
        str(account.limit): _amount(charge, account.left)
        for charge, account in zip(charges, settled.accounts, strict=False)
    }
    final, opens = settled_decision(settled, settlement, decision), settlement.opens
    approval = None
    if final.effect is Effect.APPROVAL_NEEDED and opens is not None:
        life = Seconds(round(opens.expires_at - opens.requested_at, 3))
        approval = None if draft.approval is None else replace(draft.approval, expires_in=life)
    return Played(final, left, approval)


def _amount(charge: Charge, left: int) -> float:
    if not isinstance(charge.limit.terms, Budget):
        return left
    return left // MICRO if left % MICRO == 0 else left / MICRO
