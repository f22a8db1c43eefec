"""Approvals: a held call, and the states it goes through.

The rules of these states are in `approvals/rules.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from aegis_authz.core.json_value import Json
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import ApprovalId, Basis, DecisionId, Digest, Epoch, Revision

MAX_APPROVAL_LIFE = 7 * 86400
"""The most seconds an approval may stay open, whatever a policy says."""


MOST_WAITING_OF_AGENT = 20
MOST_WAITING_OF_TENANT = 500
"""The most calls that may wait for a person at once: nobody reads more, and what is kept of each takes room."""

MOST_APPROVERS = 5
"""The most people that a rule may ask to approve one call."""

MOST_HOLD = 60
"""The most seconds a request may be kept open while a person decides, whatever a policy says."""

MOST_HOLD_WITHOUT_BODY = 25
"""The same, of a request without a body: the limit that Envoy has for the arrival of one, 30 seconds, goes on for it
until it was let through. The rest is for the two decisions.
"""

MAX_SHOWN_BYTES = 32_768
"""The most a call may hold that waits for a person: what nobody can read, nobody can approve."""


class ApprovalState(Enum):
    """Where an approval stands."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    USED = "used"
    STALE = "stale"


class ApprovalProof(Enum):
    """What the word of whoever decides must be shown by: SIGNED_IN takes no word that another service hands on."""

    ANY = "any"
    SIGNED_IN = "signed_in"


class Unattended(Enum):
    """What becomes of a call that nobody decides while its request is kept open: it waits on, or is denied for good."""

    QUEUE = "queue"
    DENY = "deny"


class ApprovalConflict(Exception):
    """The approval cannot make this step; the message says why in words for a person."""


class ApprovalForbidden(Exception):
    """This person may not decide it; the message says why in words for a person."""


class ApprovalNotFound(Exception):
    """There is no such approval, or it has been forgotten after its time."""


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """What is held: opened by settle when policy wants a human.

    `scope` is the requester. `parameters` and `besides` are what the approver sees; they are what will run, because
    `digest` binds them. `besides` holds the address, on whose behalf, and what no rule judges. `basis` is what judged
    the call, and on which terms (`approval_basis`): once that is another, the approval is stale, whatever `revision`
    is served. `decision_id` is that of the
    answer which held the call. So many `approvals` of different people are needed; whoever approves types the values of
    the parameters in `confirm`; `notify` are the places of channels where people learn of it. `proof` is what each
    of them must show. `session` is the session or task that the call belongs to, "" for none; it binds nothing.
    """

    id: ApprovalId
    scope: Scope
    tool: str
    action: str
    parameters: Mapping[str, Json]
    digest: Digest
    revision: Revision
    policies: tuple[str, ...]
    groups: tuple[str, ...]
    requested_at: Epoch
    expires_at: Epoch
    besides: Mapping[str, Json]
    basis: Basis
    decision_id: DecisionId
    approvals: int
    confirm: tuple[str, ...]
    notify: tuple[str, ...]
    proof: ApprovalProof
    session: str


@dataclass(frozen=True, slots=True)
class CallOutcome:
    """What became of a call that an approval let through, and when it was over.

    `status` is that of its answer, 0 where there was none. `was_reached` says whether anything was sent to the tool.
    """

    status: int
    time: Epoch
    was_reached: bool


@dataclass(frozen=True, slots=True)
class ApprovalUse:
    """The use of an approval: when its call was let through, and what became of that, None while nobody knows."""

    time: Epoch
    outcome: CallOutcome | None


@dataclass(frozen=True, slots=True)
class Approval:
    """A held call and where it stands. `decided_by` is "" while nobody has decided, and all names where several did.

    `approved_by` are those who have approved so far: while it is pending, fewer than it needs. `use` is None for one
    that is not used.
    """

    request: ApprovalRequest
    state: ApprovalState
    decided_by: str
    decided_at: Epoch | None
    approved_by: tuple[str, ...]
    use: ApprovalUse | None


@dataclass(frozen=True, slots=True)
class ApprovalPage:
    """Some approvals, those that expire last first.

    `unreadable` names what stands among them and cannot be read. `after` is where the next page begins, "" at the end.
    """

    approvals: tuple[Approval, ...]
    unreadable: tuple[str, ...]
    after: str
