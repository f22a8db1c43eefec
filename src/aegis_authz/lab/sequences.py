"""Sequences played: each call judged by OPA and settled by the store of a mesh, at the time that the test says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from aegis_authz.core.charge import Charge
from aegis_authz.core.decision import ApprovalTerms, Decision
from aegis_authz.core.effect import Effect
from aegis_authz.core.limit import Budget
from aegis_authz.core.money import MICRO
from aegis_authz.core.refused import Refused
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.core.units import Jti, Seconds
from aegis_authz.lab.calls import TriedCall, evaluation_of
from aegis_authz.lab.sequence_cases import Play
from aegis_authz.lab.settling import CallToSettle, settled_call
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
    result = await settled_call(CallToSettle(evaluation, decision, serial, None), snapshot, store)
    charges = () if result.draft.charging is None else result.draft.charging.charges
    left = {
        str(account.limit): _amount(charge, account.left)
        for charge, account in zip(charges, result.settled.accounts, strict=False)
    }
    opens, approval = result.settlement.opens, None
    if result.decision.effect is Effect.APPROVAL_NEEDED and opens is not None:
        life, terms = Seconds(round(opens.expires_at - opens.requested_at, 3)), result.draft.approval
        approval = None if terms is None else replace(terms, expires_in=life)
    return Played(result.decision, left, approval)


def _amount(charge: Charge, left: int) -> float:
    if not isinstance(charge.limit.terms, Budget):
        return left
    return left // MICRO if left % MICRO == 0 else left / MICRO
