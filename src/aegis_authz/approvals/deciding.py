"""Deciding held calls, on record, and the one-time token an approval yields."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

from aegis_authz.approvals.rules import STEPS, Event, require_approver, require_confirmation, require_step, sought
from aegis_authz.approvals.separation import Separation
from aegis_authz.core.approval import (
    Approval,
    ApprovalConflict,
    ApprovalNotFound,
    ApprovalPage,
    ApprovalRequest,
    ApprovalState,
)
from aegis_authz.core.person import Person
from aegis_authz.core.record import ApprovalRecord, ApprovalStep
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import ApprovalId, Epoch, Jti
from aegis_authz.identity.mint import mint_override
from aegis_authz.identity.signing_pool import SigningPool
from aegis_authz.ports.data_plane import Approvals, Clock, Ids, RecordLog, StoreDown
from aegis_authz.ports.key_rings import SigningKey

_log = logging.getLogger(__name__)
_STEPS = {
    ApprovalState.APPROVED: ApprovalStep.APPROVED,
    ApprovalState.DENIED: ApprovalStep.DENIED,
    ApprovalState.CANCELLED: ApprovalStep.CANCELLED,
}


class Approver:
    """The approver's side of held calls. What is decided is on record before it counts.

    `is_stale` says whether what judges a call is another than when it was held. `holds_every_group` says who may decide
    for any group: nobody, but on a machine where there is one person alone. `separation` tells several people from one
    with several names.
    """

    def __init__(
        self,
        approvals: Approvals,
        records: RecordLog,
        is_stale: Callable[[ApprovalRequest], bool],
        mint: Callable[[ApprovalRequest, Epoch], str],
        signatures: SigningPool,
        clock: Clock,
        holds_every_group: Callable[[Person], bool],
        separation: Separation,
    ) -> None:
        self._approvals = approvals
        self._records = records
        self._is_stale = is_stale
        self._mint = mint
        self._signatures = signatures
        self._clock = clock
        self._holds_every_group = holds_every_group
        self._separation = separation

    async def page(self, state: ApprovalState | None, limit: int, after: str) -> ApprovalPage:
        """At most `limit` approvals that stand in that state (None: any), last to expire first. Raises StoreDown."""
        page = await self._approvals.page(sought(state), limit, after)
        approvals = [self._standing(approval) for approval in page.approvals]
        return replace(page, approvals=tuple(entry for entry in approvals if state is None or entry.state is state))

    async def get(self, approval_id: ApprovalId) -> Approval:
        """One approval. Raises ApprovalNotFound, StoreDown."""
        return self._standing(await self._approvals.get(approval_id))

    def require_decider(self, approval: Approval, person: Person) -> None:
        """Refuse who may not decide that call, whether it is decided or not. Raises ApprovalForbidden."""
        require_approver(approval, ApprovalState.DENIED, person, self._holds_every_group(person))

    async def approve(
        self, approval_id: ApprovalId, person: Person, note: str, values: Mapping[str, str]
    ) -> tuple[Approval, str]:
        """Approve a pending call; returns it and its override token, "" while more people must approve it.

        `values` are what the person typed of the parameters that the rule wants confirmed. Raises ApprovalNotFound,
        ApprovalConflict, ApprovalForbidden, StoreDown, DatabaseFault, KeyServiceDown.
        """
        approval, now = await self._decidable(approval_id, ApprovalState.APPROVED, person)
        require_confirmation(approval.request, values)
        await self._separation.require(approval.request, person, now)
        # Minted before the decision is written: an approval can never be given without its token.
        try:
            token = await self._signatures.sign(partial(self._mint, approval.request, now))
        except ValueError:
            raise ApprovalConflict("the approval has expired; the agent must repeat the call") from None
        after = await self._decide(approval, ApprovalState.APPROVED, person, note, now)
        return after, token if after.state is ApprovalState.APPROVED else ""

    async def deny(self, approval_id: ApprovalId, person: Person, note: str) -> Approval:
        """Deny a pending call, for a reason.

        Raises ApprovalNotFound, ApprovalConflict, ApprovalForbidden, StoreDown.
        """
        if not note.strip():
            raise ApprovalConflict("a denial needs a reason: whoever asked must learn what to change")
        approval, now = await self._decidable(approval_id, ApprovalState.DENIED, person)
        return await self._decide(approval, ApprovalState.DENIED, person, note, now)

    async def cancel(self, approval_id: ApprovalId, person: Person, note: str) -> Approval:
        """Take back what is pending, or granted and not used.

        Raises ApprovalNotFound, ApprovalConflict, ApprovalForbidden, StoreDown.
        """
        approval, now = await self._decidable(approval_id, ApprovalState.CANCELLED, person)
        return await self._decide(approval, ApprovalState.CANCELLED, person, note, now)

    async def _decidable(self, approval_id: ApprovalId, to: ApprovalState, person: Person) -> tuple[Approval, Epoch]:
        approval = await self.get(approval_id)
        require_step(approval, to, person.id)
        require_approver(approval, to, person, self._holds_every_group(person))
        return approval, self._clock.now()

    async def _decide(self, approval: Approval, to: ApprovalState, person: Person, note: str, now: Epoch) -> Approval:
        request, by = approval.request, person.id
        await self._record(record_of(request, _STEPS[to], by, note, now))
        try:
            decided = await self._approvals.decide(request.id, to, by, now)
        except (ApprovalConflict, ApprovalNotFound) as fault:  # somebody else, or time, was faster
            await self._record(record_of(request, ApprovalStep.UNDONE, by, str(fault), self._clock.now()))
            raise
        _log.info("%s (%s) %s by %r: %r", request.id, request.scope, to.value, by, note)
        return decided

    async def _record(self, record: ApprovalRecord) -> None:
        try:
            await self._records.append(record)
        except Refused as refusal:
            raise StoreDown(f"what was decided cannot be recorded: {refusal.detail}") from None

    def _standing(self, approval: Approval) -> Approval:
        if (approval.state, Event.CHANGE) in STEPS and self._is_stale(approval.request):
            return replace(approval, state=ApprovalState.STALE)
        return approval


def override_mint(
    key: Callable[[], SigningKey], issuer: str, audience: str, ids: Ids
) -> Callable[[ApprovalRequest, Epoch], str]:
    """What makes the override token of an approval that is granted now, signed by the key of then.

    It raises ValueError where the approval's time is over.
    """

    def mint(request: ApprovalRequest, now: Epoch) -> str:
        return mint_override(key(), request, issuer=issuer, audience=audience, now=now, jti=Jti(ids.token()))

    return mint


def record_of(request: ApprovalRequest, step: ApprovalStep, by: str, note: str, now: Epoch) -> ApprovalRecord:
    """A decision about a held call, as it is kept."""
    return ApprovalRecord(
        decision_id=request.decision_id,
        time=now,
        approval_id=request.id,
        step=step,
        by=by,
        note=note,
        scope=request.scope,
        tool=request.tool,
        action=request.action,
        digest=request.digest,
        basis=request.basis,
        revision=request.revision,
        policies=request.policies,
        requested_at=request.requested_at,
        expires_at=request.expires_at,
    )
