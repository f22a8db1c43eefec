"""Deciding held calls, and the one-time token an approval yields."""

from __future__ import annotations

import logging

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.core.approval import Approval, ApprovalConflict, ApprovalState
from aegis_authz.core.units import ApprovalId, Jti
from aegis_authz.identity.mint import mint_override
from aegis_authz.ports.data_plane import Approvals, Clock, Ids

_log = logging.getLogger(__name__)
_RUN_OUT = (ApprovalState.PENDING, ApprovalState.APPROVED, ApprovalState.EXPIRED)


class Approver:
    """The approver's side of held calls."""

    def __init__(
        self, approvals: Approvals, key: Ed25519PrivateKey, issuer: str, audience: str, clock: Clock, ids: Ids
    ) -> None:
        self._approvals = approvals
        self._key = key
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._ids = ids

    async def list(self, state: ApprovalState | None) -> list[Approval]:
        """Remembered approvals in that state (None: any), newest first. Raises StoreDown."""
        return await self._approvals.list(state)

    async def get(self, approval_id: ApprovalId) -> Approval:
        """One approval. Raises ApprovalNotFound, StoreDown."""
        return await self._approvals.get(approval_id)

    async def approve(self, approval_id: ApprovalId, by: str, note: str) -> tuple[Approval, str]:
        """Approve a pending call; returns it and its override token. The note goes to the log.

        Raises ApprovalNotFound, ApprovalConflict, StoreDown.
        """
        approval = await self._approvals.get(approval_id)
        now = self._clock.now()
        # Minted before the decision is written: an approval can never be given without its token.
        try:
            token = mint_override(
                self._key,
                approval.request,
                issuer=self._issuer,
                audience=self._audience,
                now=now,
                jti=Jti(self._ids.token()),
            )
        except ValueError:
            if approval.state in _RUN_OUT:
                raise ApprovalConflict("the approval has expired; the agent must repeat the call") from None
            raise ApprovalConflict(f"the approval is {approval.state.value} already") from None
        approval = await self._approvals.decide(approval_id, ApprovalState.APPROVED, by, now)
        _log.info("%s (%s) approved by %r: %r", approval_id, approval.request.scope, by, note)
        return approval, token

    async def deny(self, approval_id: ApprovalId, by: str, note: str) -> Approval:
        """Deny a pending call; the note goes to the log. Raises ApprovalNotFound, ApprovalConflict, StoreDown."""
        approval = await self._approvals.decide(approval_id, ApprovalState.DENIED, by, self._clock.now())
        _log.info("%s (%s) denied by %r: %r", approval_id, approval.request.scope, by, note)
        return approval
