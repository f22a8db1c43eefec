"""What every message about a held call, or about refusals, says in the same words."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from urllib.parse import quote

from aegis_authz.core.alert import MANY, Alert
from aegis_authz.core.approval import Approval, ApprovalRequest, ApprovalState
from aegis_authz.core.reason import REASONS

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


def alert_headline(alert: Alert) -> str:
    """What was refused, on one line of printable ASCII."""
    who = f"agents of {alert.org}/{alert.tenant}" if alert.agent == MANY else alert.scope
    where = "several destinations" if alert.destination == MANY else alert.destination
    times = "once" if alert.count == 1 else f"{alert.count} times"
    return ascii_line(f"{who}: {alert.reason.value}, {times}, calling {where}")


def alert_explanation(alert: Alert) -> str:
    """Why and when, on one line of printable ASCII."""
    when = f"at {moment(alert.first)}"
    if alert.count > 1:
        when = f"from {moment(alert.first)} to {moment(alert.last)}"
    return ascii_line(f"{REASONS[alert.reason].text} Refused {when}.")


def decision_url(public_url: str, alert: Alert) -> str:
    """Where the first of the refusals is shown to whoever may read records."""
    return f"{public_url.rstrip('/')}/decisions/{quote(alert.decisions[0], safe='')}"


def page_url(public_url: str, request: ApprovalRequest) -> str:
    """Where the call is shown and decided by whoever signs in."""
    return f"{public_url.rstrip('/')}/approvals/{request.id}"


def moment(seconds: float) -> str:
    """A time of day in UTC, to the second."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def ascii_line(text: str) -> str:
    """The text with everything escaped that is not printable ASCII, as JSON escapes it."""
    return json.dumps(text, ensure_ascii=True)[1:-1].replace('\\"', '"').replace("\x7f", "\\u007f")
