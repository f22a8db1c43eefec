"""Tasks of access requests: which approvals one is about, how it stands, and where it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from aegis_authz.api.access_requests import MOST_ITEMS, TaskStatus
from aegis_authz.core.approval import Approval, ApprovalState

STATUSES: Mapping[ApprovalState, TaskStatus] = MappingProxyType(
    {
        ApprovalState.PENDING: TaskStatus.PENDING,
        ApprovalState.APPROVED: TaskStatus.APPROVED,
        ApprovalState.USED: TaskStatus.APPROVED,
        ApprovalState.DENIED: TaskStatus.DENIED,
        ApprovalState.EXPIRED: TaskStatus.EXPIRED,
        ApprovalState.CANCELLED: TaskStatus.CANCELLED,
        ApprovalState.STALE: TaskStatus.CANCELLED,
    }
)
"""Where a task stands by where its approval does. What was approved and is taken back, over or stale says so: a status
that said `approved` of what nobody can use would be believed."""

PATH = "/access/v1/requests"
_BUNDLE = "bundle"


def bundle_id(names: Sequence[str]) -> str:
    """The id of the task about several approvals."""
    return ".".join((_BUNDLE, *names))


def is_bundle(task_id: str) -> bool:
    """Whether a task is about several approvals, each of which is told of."""
    head, *names = task_id.split(".")
    return head == _BUNDLE and 0 < len(names) <= MOST_ITEMS


def approval_names(task_id: str) -> list[str]:
    """The ids of the approvals that a task is about."""
    return task_id.split(".")[1:] if is_bundle(task_id) else [task_id]


def task_url(base: str, task_id: str) -> str:
    """Where it is asked for; `base` is where people reach the control plane."""
    return f"{base.rstrip('/')}{PATH}/{task_id}"


def task_status(approvals: Sequence[Approval]) -> TaskStatus:
    """How a task about these stands."""
    return joint_status([STATUSES[approval.state] for approval in approvals])


def joint_status(statuses: Sequence[TaskStatus]) -> TaskStatus:
    """The status of several: pending while one is, theirs where all ended alike, else PARTIAL."""
    if TaskStatus.PENDING in statuses:
        return TaskStatus.PENDING
    return statuses[0] if len(set(statuses)) == 1 else TaskStatus.PARTIAL
