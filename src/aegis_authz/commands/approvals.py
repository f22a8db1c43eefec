"""Held calls of a mesh: see them, decide them. Every function raises Unable and Rejected."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.api.approvals import ApprovalAnswer, ApprovalsAnswer, ApprovedAnswer
from aegis_authz.commands.control import control_plane

_MOST_PAGES = 50


def list_approvals(state: Path, standing: str, limit: int, after: str) -> ApprovalsAnswer:
    """A page of approvals of the mesh in this folder that stand so, "" for all; pages with none are passed over."""
    with control_plane(state) as control:
        page = control.approvals(standing, limit, after)
        for _ in range(_MOST_PAGES):
            if page.approvals or page.unreadable or not page.after:
                break
            page = control.approvals(standing, limit, page.after)
        return page


def get_approval(state: Path, approval_id: str) -> ApprovalAnswer:
    """One approval."""
    with control_plane(state) as control:
        return control.approval(approval_id)


def approve(state: Path, approval_id: str, note: str) -> ApprovedAnswer:
    """Approve a held call; the answer holds its one-time override token."""
    with control_plane(state) as control:
        return control.approve(approval_id, note)


def cancel(state: Path, approval_id: str, note: str) -> ApprovalAnswer:
    """Take an approval back that is pending, or granted and not used."""
    with control_plane(state) as control:
        return control.cancel(approval_id, note)


def deny(state: Path, approval_id: str, note: str) -> ApprovalAnswer:
    """Deny a held call."""
    with control_plane(state) as control:
        return control.deny(approval_id, note)
