"""Held calls of a mesh: see them, decide them. Every function raises Unable and Rejected."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.api.approvals import ApprovalAnswer, ApprovalsAnswer, ApprovedAnswer
from aegis_authz.commands.control import control_plane


def list_approvals(state: Path, standing: str) -> ApprovalsAnswer:
    """Approvals of the mesh in this folder that stand so, "" for all, newest first."""
    with control_plane(state) as control:
        return control.approvals(standing)


def get_approval(state: Path, approval_id: str) -> ApprovalAnswer:
    """One approval."""
    with control_plane(state) as control:
        return control.approval(approval_id)


def approve(state: Path, approval_id: str, by: str, note: str) -> ApprovedAnswer:
    """Approve a held call; the answer holds its one-time override token."""
    with control_plane(state) as control:
        return control.approve(approval_id, by, note)


def deny(state: Path, approval_id: str, by: str, note: str) -> ApprovalAnswer:
    """Deny a held call."""
    with control_plane(state) as control:
        return control.deny(approval_id, by, note)
