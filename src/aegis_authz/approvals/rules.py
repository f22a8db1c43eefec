"""Who may decide an approval, and where it stands: every step there is, as a table, and the rule of the verdict."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from types import MappingProxyType

from aegis_authz.core.approval import (
    Approval,
    ApprovalConflict,
    ApprovalForbidden,
    ApprovalNotFound,
    ApprovalProof,
    ApprovalRequest,
    ApprovalState,
)
from aegis_authz.core.json_value import Json
from aegis_authz.core.person import Person
from aegis_authz.core.units import ApprovalId, Epoch
from aegis_authz.people.permissions import BOOTSTRAP_OWNER

_SIGNED_IN = ("api", "page")
"""Where the control plane itself knows who speaks; elsewhere another service says so."""


class Event(Enum):
    """What can happen to an approval."""

    APPROVAL = "approval"
    DENIAL = "denial"
    CANCELLATION = "cancellation"
    EXPIRY = "expiry"
    USE = "use"
    CHANGE = "change"
    """What judges the call is another since it was held."""


class Actor(Enum):
    """Who or what can make an event happen."""

    PERSON = "person"
    TIME = "time"
    CALL = "call"
    PUBLICATION = "publication"


ACTORS: Mapping[Event, Actor] = MappingProxyType(
    {
        Event.APPROVAL: Actor.PERSON,
        Event.DENIAL: Actor.PERSON,
        Event.CANCELLATION: Actor.PERSON,
        Event.EXPIRY: Actor.TIME,
        Event.USE: Actor.CALL,
        Event.CHANGE: Actor.PUBLICATION,
    }
)
"""By whom each event happens, and by nobody else."""

STEPS: Mapping[tuple[ApprovalState, Event], ApprovalState] = MappingProxyType(
    {
        (ApprovalState.PENDING, Event.APPROVAL): ApprovalState.APPROVED,  # once so many have approved as it needs
        (ApprovalState.PENDING, Event.DENIAL): ApprovalState.DENIED,
        (ApprovalState.PENDING, Event.CANCELLATION): ApprovalState.CANCELLED,
        (ApprovalState.PENDING, Event.EXPIRY): ApprovalState.EXPIRED,
        (ApprovalState.PENDING, Event.CHANGE): ApprovalState.STALE,
        (ApprovalState.APPROVED, Event.USE): ApprovalState.USED,
        (ApprovalState.APPROVED, Event.CANCELLATION): ApprovalState.CANCELLED,
        (ApprovalState.APPROVED, Event.EXPIRY): ApprovalState.EXPIRED,
        (ApprovalState.APPROVED, Event.CHANGE): ApprovalState.STALE,
    }
)
"""Every step there is. A step not in the table is an error."""

TRANSITIONS: Mapping[ApprovalState, frozenset[ApprovalState]] = MappingProxyType(
    {state: frozenset(to for (since, _), to in STEPS.items() if since is state) for state in ApprovalState}
)
"""Where an approval can stand next, whatever makes it so."""

VERDICTS = frozenset(to for (_, event), to in STEPS.items() if ACTORS[event] is Actor.PERSON)
"""What a person can decide. The other steps are taken by time, by publications and by the call itself."""


def require_step(approval: Approval, to: ApprovalState, by: str) -> None:
    """Refuse a step that is no verdict, one that comes too late, and one of nobody. Raises ApprovalConflict.

    What was granted and not used yet can be cancelled.
    """
    request = approval.request
    if to not in VERDICTS:
        raise ApprovalConflict(f"approval {request.id} can be approved, denied or cancelled, not made {to.value}")
    if to not in TRANSITIONS[approval.state]:
        raise conflict(request.id, approval.state.value)
    if not by.strip() or "\n" in by:
        raise ApprovalConflict(f"approval {request.id} cannot be decided by nobody: the decision needs a name")


def require_approver(approval: Approval, to: ApprovalState, person: Person, holds_every_group: bool = False) -> None:
    """Refuse who is of none of the groups, whose call it is, on whose behalf it is made, or who has approved already;
    and the admin token where several people must approve.

    `holds_every_group` is for the owner of a mesh on one machine, where there is nobody else. Raises ApprovalForbidden,
    and ApprovalConflict for a second approval of one person.
    """
    request = approval.request
    if request.groups and not holds_every_group and person.groups.isdisjoint(request.groups):
        groups = ", ".join(request.groups)
        raise ApprovalForbidden(f"{person.id} is in none of the groups that may decide this: {groups}")
    if person.id.casefold() in principals(request):
        raise ApprovalForbidden(f"approval {request.id} cannot be decided by its own requester: {person.id}")
    if to is ApprovalState.APPROVED and request.approvals > 1 and person.id == BOOTSTRAP_OWNER.id:
        # it may be the token of whoever has approved by their own name
        raise ApprovalForbidden(
            f"approval {request.id} takes {request.approvals} people, and the admin token proves nobody"
        )
    if to is ApprovalState.APPROVED and person.id in approval.approved_by:
        raise already(request.id, person.id)


def principals(request: ApprovalRequest) -> frozenset[str]:
    """Whose call it is, in small letters: the agent, on whose behalf it acts, and through whom. None may decide it."""
    behalf, chain = request.besides.get("on_behalf_of"), request.besides.get("acted_by")
    actors = chain if isinstance(chain, list) else []
    names = (request.scope.agent, str(request.scope), behalf, *actors)
    return frozenset(name.casefold() for name in names if isinstance(name, str))


def require_proof(request: ApprovalRequest, channel: str) -> None:
    """Refuse the word of a person that another service hands on, where the rule wants them signed in here.

    `channel` is where it was said. Raises ApprovalForbidden.
    """
    if request.proof is ApprovalProof.SIGNED_IN and channel not in _SIGNED_IN:
        raise ApprovalForbidden(f"approval {request.id} is decided by who is signed in alone: open its page")


def require_confirmation(request: ApprovalRequest, values: Mapping[str, str]) -> None:
    """Refuse an approval that does not repeat the values which the rule wants typed. Raises ApprovalConflict."""
    for name in request.confirm:
        if name not in request.parameters:
            raise ApprovalConflict(f"the call has no {name}, which must be typed to approve it: it can only be denied")
        if values.get(name) != spelled(request.parameters[name]):
            raise ApprovalConflict(f"to approve this, type the value of {name} exactly as the call has it")


def spelled(value: Json) -> str:
    """A value as a person types it: a text as it is, everything else as JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)


def decided(approval: Approval, to: ApprovalState, by: str, now: Epoch) -> Approval:
    """The approval after a verdict of that person; pending still while it needs more of them.

    Raises ApprovalConflict.
    """
    require_step(approval, to, by)
    approvers = approval.approved_by
    if to is ApprovalState.APPROVED:
        if by in approvers:
            raise already(approval.request.id, by)
        approvers = (*approvers, by)
        if len(approvers) < approval.request.approvals:
            return replace(approval, approved_by=approvers)
    names = ", ".join(approvers) if to is ApprovalState.APPROVED else by
    return replace(approval, state=to, decided_by=names, decided_at=now, approved_by=approvers)


def standing(approval: Approval, now: Epoch) -> Approval:
    """The approval as it stands at `now`: expired once its time is over, if it can expire."""
    can_expire = (approval.state, Event.EXPIRY) in STEPS
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


def already(approval_id: ApprovalId, by: str) -> ApprovalConflict:
    """The words for a second approval of one person."""
    return ApprovalConflict(f"{by} has approved {approval_id} already; somebody else must, too")


def not_found(approval_id: ApprovalId) -> ApprovalNotFound:
    """The words for an approval that is not, or no longer, known."""
    return ApprovalNotFound(f"no approval {approval_id} is remembered")
