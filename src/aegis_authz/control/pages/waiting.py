"""The list of held calls: those that expire first at the top, by tenant, agent and tool, in pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from starlette.responses import Response

from aegis_authz.control.pages.frame import Frame
from aegis_authz.control.pages.templates import address, fragment_of, page_of
from aegis_authz.core.approval import Approval, ApprovalRequest
from aegis_authz.notices.words import ascii_line

_ON_PAGE = 50


@dataclass(frozen=True, slots=True)
class WaitingFilter:
    """Which held calls a list shows, "" for all, and which page of them, from 1."""

    tenant: str
    agent: str
    tool: str
    page: int

    @property
    def is_narrow(self) -> bool:
        """Whether it leaves some out."""
        return bool(self.tenant or self.agent or self.tool)

    def keeps(self, approval: Approval) -> bool:
        """Whether the call is in the list."""
        held = approval.request
        return (
            self.tenant in ("", f"{held.scope.org}/{held.scope.tenant}")
            and self.agent in ("", held.scope.agent)
            and self.tool in ("", held.tool)
        )

    def href(self, path: str, page: int) -> str:
        """The address of a page of the same list, or of its live updates."""
        words = {"tenant": self.tenant, "agent": self.agent, "tool": self.tool}
        return address(path, {**words, "page": "" if page == 1 else page})


def waiting_page(approvals: Sequence[Approval], choice: WaitingFilter, frame: Frame) -> Response:
    """The page of what waits."""
    fields = [
        {"name": "tenant", "label": "Tenant (org/tenant)", "value": choice.tenant},
        {"name": "agent", "label": "Agent", "value": choice.agent},
        {"name": "tool", "label": "Tool", "value": choice.tool},
    ]
    events = choice.href("/approvals/events", choice.page)
    return page_of("approvals.html", 200, frame, fields=fields, events=events, **_list(approvals, choice))


def waiting_rows(approvals: Sequence[Approval], choice: WaitingFilter) -> str:
    """The list alone, as live updates send it."""
    return fragment_of("approvals_list.html", **_list(approvals, choice))


def call_row(held: ApprovalRequest) -> dict[str, object]:
    """A held call in a table."""
    return {
        "id": held.id,
        "action": ascii_line(held.action),
        "tool": ascii_line(held.tool),
        "agent": ascii_line(held.scope.agent),
        "tenant": ascii_line(f"{held.scope.org}/{held.scope.tenant}"),
        "asked": held.requested_at,
        "until": held.expires_at,
    }


def _list(approvals: Sequence[Approval], choice: WaitingFilter) -> dict[str, object]:
    ordered = sorted(filter(choice.keeps, approvals), key=lambda approval: approval.request.expires_at)
    start = (choice.page - 1) * _ON_PAGE
    return {
        "rows": [call_row(approval.request) for approval in ordered[start : start + _ON_PAGE]],
        "total": len(ordered),
        "is_narrow": choice.is_narrow,
        "before": choice.href("/approvals", choice.page - 1) if choice.page > 1 else "",
        "after": choice.href("/approvals", choice.page + 1) if len(ordered) > start + _ON_PAGE else "",
    }
