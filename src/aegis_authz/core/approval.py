"""Approvals: the states a held call goes through, as a table."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from aegis_authz.core.json_value import Json
from aegis_authz.core.scope import Scope


class ApprovalState(Enum):
    """Where an approval stands."""

    PENDING = "pending"
    APPROVED = "approved"
    DENIED = "denied"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    USED = "used"


TRANSITIONS: Mapping[ApprovalState, frozenset[ApprovalState]] = MappingProxyType(
    {
        ApprovalState.PENDING: frozenset(
            {ApprovalState.APPROVED, ApprovalState.DENIED, ApprovalState.EXPIRED, ApprovalState.CANCELLED}
        ),
        ApprovalState.APPROVED: frozenset({ApprovalState.USED, ApprovalState.EXPIRED, ApprovalState.CANCELLED}),
        ApprovalState.DENIED: frozenset(),
        ApprovalState.EXPIRED: frozenset(),
        ApprovalState.CANCELLED: frozenset(),
        ApprovalState.USED: frozenset(),
    }
)
"""Every step there is. A step not in the table is an error."""


class ApprovalConflict(Exception):
    """The approval cannot make this step; the message says why in words for a person."""


class ApprovalNotFound(Exception):
    """There is no such approval, or it has been forgotten after its time."""


@dataclass(frozen=True, slots=True)
class ApprovalRequest:
    """What is held: opened by settle when policy wants a human. Times are seconds since the epoch.

    `scope` is the requester. `parameters` is what the approver sees; it is what will run, because `digest` binds it.
    """

    id: str
    scope: Scope
    tool: str
    action: str
    parameters: Mapping[str, Json]
    digest: str
    revision: str
    policies: tuple[str, ...]
    groups: tuple[str, ...]
    requested_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class Approval:
    """A held call and where it stands. `decided_by` is "" while nobody has decided."""

    request: ApprovalRequest
    state: ApprovalState
    decided_by: str
    decided_at: float | None


PARTITIONS = 64
"""Tenants are spread over this many Redis hash tags, each with a replay epoch of its own."""


def partition_of(scope: Scope) -> str:
    """The hash tag of a tenant's keys: two hex digits, stable across machines."""
    return f"{zlib.crc32(scope.tenant_path.encode()) % PARTITIONS:02x}"


def approval_id(scope: Scope, token: str) -> str:
    """An approval's id: its partition, then the random `token`, so that it can be found by id alone."""
    return f"apr_{partition_of(scope)}{token}"
