"""What became of held calls, event by event: what oversight reads, whoever decided, wherever."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from aegis_authz.core.approval import ApprovalRequest
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import ApprovalId, Epoch, Seconds


class ApprovalEventKind(Enum):
    """What happened to a held call."""

    ASKED = "asked"
    APPROVED = "approved"
    DENIED = "denied"
    CANCELLED = "cancelled"
    EXPIRED = "expired"


@dataclass(frozen=True, slots=True)
class ApprovalEvent:
    """One event of a held call.

    `person` is who decided, "" where nobody did; `channel` is where that was said (`api`, `page`, `slack`), "" where
    that is not known or nobody said anything. `policies` are the documents that asked for the approval, and `groups`
    those that may give it. `seconds` lie between the question and this.
    """

    approval_id: ApprovalId
    scope: Scope
    tool: str
    action: str
    policies: tuple[str, ...]
    groups: tuple[str, ...]
    kind: ApprovalEventKind
    person: str
    channel: str
    reason: str
    at: Epoch
    seconds: Seconds

    @staticmethod
    def asked(request: ApprovalRequest) -> ApprovalEvent:
        """That the call was held."""
        return ApprovalEvent.of(request, ApprovalEventKind.ASKED, "", "", "", request.requested_at)

    @staticmethod
    def of(
        request: ApprovalRequest, kind: ApprovalEventKind, person: str, channel: str, reason: str, at: Epoch
    ) -> ApprovalEvent:
        """What happened to that call, and when."""
        return ApprovalEvent(
            approval_id=request.id,
            scope=request.scope,
            tool=request.tool,
            action=request.action,
            policies=request.policies,
            groups=request.groups,
            kind=kind,
            person=person,
            channel=channel,
            reason=reason,
            at=at,
            seconds=Seconds(at - request.requested_at),
        )


@dataclass(frozen=True, slots=True)
class HistoryLine:
    """An event in its place: numbers grow in the order in which events were kept, and may leave gaps."""

    number: int
    event: ApprovalEvent
