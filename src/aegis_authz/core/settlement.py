"""What a call writes to the store, all or nothing, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from aegis_authz.core.approval import ApprovalRequest, ApprovalUse
from aegis_authz.core.breaker import Tally
from aegis_authz.core.charge import Account, Charging
from aegis_authz.core.grant import Narrowing
from aegis_authz.core.identity import Identity, Override, Spending
from aegis_authz.core.reason import Reason
from aegis_authz.core.units import ApprovalId, DecisionId, Epoch, Millis

_HELD = "held"


@dataclass(frozen=True, slots=True)
class GrantUse:
    """What is used of a grant with a count of calls: one, or of a list of operations as many as it holds."""

    narrowing: Narrowing
    calls: int


@dataclass(frozen=True, slots=True)
class Settlement:
    """Everything one call settles in one round trip.

    The token's JTI is claimed in every case. `claims` is an approval to use up and `opens` one to
    open; a call does at most one of the two. `grants` are those with a count of calls, which count once it is
    let through. `charging` is what the call uses of limits and `tally` what breakers count of it, a refused call
    alone; None for neither. `resumes` names the decision that held the same request, kept open until now: what it
    showed was spent then, and is spent once more as that of the held request. None for a request that was not held.
    """

    identity: Identity
    claims: Override | None
    opens: ApprovalRequest | None
    now: Epoch
    grants: tuple[GrantUse, ...]
    charging: Charging | None
    tally: Tally | None
    resumes: DecisionId | None

    @property
    def spending(self) -> Spending:
        """What the call uses up. A held request has one more of its own, so that it goes on once and not twice."""
        spending = self.identity.spending
        if self.resumes is None:
            return spending
        return Spending((*spending.names, _HELD, self.resumes), spending.issued_at, spending.life)

    def __post_init__(self) -> None:
        if self.claims is not None and self.opens is not None:
            raise ValueError("a call either uses an approval or opens one")
        if self.charging is not None and self.tally is not None:
            raise ValueError("a refused call is charged nothing")


class SettleOutcome(Enum):
    """What the store said. Only CLEAR, OPENED and REOPENED leave the PDP's verdict standing.

    APPROVED: an approval was granted to this very call, and this was its one use. REOPENED: there was an approval of
    the call, pending or granted, which is stale; a new one stands in its place.
    """

    CLEAR = "clear"
    OPENED = "opened"
    REOPENED = "reopened"
    APPROVED = "approved"
    REPLAYED = "replayed"
    REVOKED = "revoked"
    QUARANTINED = "quarantined"
    LIMIT_EXCEEDED = "limit_exceeded"
    STORE_RESET = "store_reset"
    GRANT_USED_UP = "grant_used_up"
    APPROVAL_NOT_GRANTED = "approval_not_granted"
    APPROVAL_EXPIRED = "approval_expired"
    APPROVAL_MISMATCH = "approval_mismatch"
    APPROVAL_STALE = "approval_stale"
    APPROVAL_USED = "approval_used"
    APPROVALS_FULL = "approvals_full"


NAMES_APPROVAL = frozenset((SettleOutcome.OPENED, SettleOutcome.REOPENED, SettleOutcome.APPROVED))
"""The outcomes that come with the id of an approval."""

SETTLE_REFUSALS = {
    SettleOutcome.REPLAYED: Reason.REPLAYED,
    SettleOutcome.REVOKED: Reason.REVOKED,
    SettleOutcome.QUARANTINED: Reason.QUARANTINED,
    SettleOutcome.LIMIT_EXCEEDED: Reason.COUNT_EXCEEDED,
    SettleOutcome.STORE_RESET: Reason.STORE_RESET,
    SettleOutcome.GRANT_USED_UP: Reason.GRANT_USED_UP,
    SettleOutcome.APPROVAL_NOT_GRANTED: Reason.APPROVAL_NOT_GRANTED,
    SettleOutcome.APPROVAL_EXPIRED: Reason.APPROVAL_EXPIRED,
    SettleOutcome.APPROVAL_MISMATCH: Reason.APPROVAL_MISMATCH,
    SettleOutcome.APPROVAL_STALE: Reason.APPROVAL_STALE,
    SettleOutcome.APPROVAL_USED: Reason.APPROVAL_USED,
    SettleOutcome.APPROVALS_FULL: Reason.APPROVALS_FULL,
}


@dataclass(frozen=True, slots=True)
class Settled:
    """The store's answer. `approval_id` and `approval_expires_at` are set when OPENED, REOPENED or APPROVED.

    The id may be that of an earlier request for the very same call that is still pending. `granted_by` is who granted
    the approval that was used, "" for every other outcome. `accounts` are those of the charges, in their order; none
    where it did not come to that. `quarantined_until` is until when the agent is quarantined, 0 when it is not: before
    the call, or since it was refused. `former_use` is what became of this very call when APPROVAL_USED; None for every
    other outcome, and where the approval was of another call.
    """

    outcome: SettleOutcome
    approval_id: ApprovalId
    approval_expires_at: Epoch
    granted_by: str
    accounts: tuple[Account, ...]
    quarantined_until: Millis
    former_use: ApprovalUse | None
