"""Who may decide an approval, and where it stands: every step there is, as a table, and the rule of the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from aegis_authz.core.approval import Approval, ApprovalConflict, ApprovalNotFound, ApprovalState
from aegis_authz.core.units import ApprovalId, Epoch

TRANSITIONS: Mapping[ApprovalState, frozenset[ApprovalState]] = MappingProxyType(
    {
        ApprovalState.PENDING: frozenset(
            {
                ApprovalState.APPROVED,
                ApprovalState.DENIED,
                ApprovalState.EXPIRED,
                ApprovalState.CANCELLED,
                ApprovalState.STALE,
            }
        ),
        ApprovalState.APPROVED: frozenset(
            {ApprovalState.USED, ApprovalState.EXPIRED, ApprovalState.CANCELLED, ApprovalState.STALE}
        ),
        ApprovalState.DENIED: frozenset(),
        ApprovalState.EXPIRED: frozenset(),
        ApprovalState.CANCELLED: frozenset(),
        ApprovalState.USED: frozenset(),
        ApprovalState.STALE: frozenset(),
    }
)
"""Every step there is. A step not in the table is an error."""

VERDICTS = frozenset((ApprovalState.APPROVED, ApprovalState.DENIED, ApprovalState.CANCELLED))
"""What a person can decide. The other steps are taken by time and by the call itself."""


def require_verdict(approval: Approval, to: ApprovalState, by: str) -> None:
    """Refuse a step that is no verdict, one that comes too late, one without a name, and the requester's own.

    What was granted and not used yet can be cancelled.

    The groups of the request are not looked at: `by` is the word of whoever holds the admin token, and no group of
    theirs is known. Raises ApprovalConflict.
    """
    request = approval.request
    if to not in VERDICTS:
        raise ApprovalConflict(f"approval {request.id} can be approved, denied or cancelled, not made {to.value}")
    if to not in TRANSITIONS[approval.state]:
        raise conflict(request.id, approval.state.value)
    name = by.strip().casefold()
    if not name:
        raise ApprovalConflict(f"approval {request.id} cannot be decided by nobody: the decision needs a name")
    if name in (request.scope.agent, str(request.scope)):
        raise ApprovalConflict(f"approval {request.id} cannot be decided by its own requester")


def standing(approval: Approval, now: Epoch) -> Approval:
    """The approval as it stands at `now`: expired once its time is over, if it can expire."""
    can_expire = ApprovalState.EXPIRED in TRANSITIONS[approval.state]
    if can_expire and now >= approval.request.expires_at:
        return replace(approval, state=ApprovalState.EXPIRED)
    return approval


def sought(state: ApprovalState | None) -> frozenset[ApprovalState]:
    """The states in which approvals are kept that may stand in that state now, None for any: time and publications
    change where one stands, and nobody writes that down at once.
    """
    if state is None:
        return frozenset(ApprovalState)
    is_late = state in (ApprovalState.EXPIRED, ApprovalState.STALE)
    return frozenset((state, ApprovalState.PENDING, ApprovalState.APPROVED) if is_late else (state,))


def conflict(approval_id: ApprovalId, state: str) -> ApprovalConflict:
    """The words for a step that cannot be made any more."""
    return ApprovalConflict(f"approval {approval_id} is {state} and cannot be decided any more")


def not_found(approval_id: ApprovalId) -> ApprovalNotFound:
    """The words for an approval that is not, or no longer, known."""
    return ApprovalNotFound(f"no approval {approval_id} is remembered")
