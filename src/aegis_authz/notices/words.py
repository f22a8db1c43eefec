"""What every message about a held call says in the same words."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from aegis_authz.core.approval import Approval, ApprovalRequest, ApprovalState

NOT_SHOWN = "All of the call does not fit into this message. Read it, and decide, on the page of the approval."
SIGNED_IN = "This is decided by who is signed in alone: open the page of the approval."
TYPED = "Whoever approves this must type values of the call: that is done on the page of the approval."


def headline(request: ApprovalRequest) -> str:
    """What is held, on one line of printable ASCII."""
    return ascii_line(f"{request.scope} wants to run {request.action} on {request.tool}")


def explanation(request: ApprovalRequest) -> str:
    """Why it is held and who may decide until when, on one line of printable ASCII."""
    people = "one person" if request.approvals == 1 else f"{request.approvals} people"
    groups = f" of {' or '.join(request.groups)}" if request.groups else ""
    policies = ", ".join(request.policies) or "policy"
    return ascii_line(f"Held by {policies}. Needs {people}{groups}, until {moment(request.expires_at)}.")


def outcome(approval: Approval) -> str:
    """What became of it, on one line of printable ASCII."""
    word = approval.state.value
    if approval.state is ApprovalState.PENDING:
        return ascii_line(f"Pending: {len(approval.approved_by)} of {approval.request.approvals} have approved.")
    by = f" by {approval.decided_by}" if approval.decided_by else ""
    if approval.state is ApprovalState.USED:
        return ascii_line(f"Approved{by}; the call has been let through.")
    return ascii_line(f"{word.capitalize()}{by}.")


def page_url(public_url: str, request: ApprovalRequest) -> str:
    """Where the call is shown and decided by whoever signs in."""
    return f"{public_url.rstrip('/')}/approvals/{request.id}"


def moment(seconds: float) -> str:
    """A time of day in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def ascii_line(text: str) -> str:
    """The text with everything escaped that is not printable ASCII, as JSON escapes it."""
    return json.dumps(text, ensure_ascii=True)[1:-1].replace('\\"', '"').replace("\x7f", "\\u007f")
