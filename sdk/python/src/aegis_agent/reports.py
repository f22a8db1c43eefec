"""What a program is told of a call that did not go through, as members of JSON: for places where a framework keeps data
beside the text that its model reads."""

from __future__ import annotations

from typing import Any

from aegis_agent.errors import AegisDenied, AegisError, ApprovalNeeded


def report(error: AegisError) -> dict[str, Any]:
    """The error by its class, and what it has: never a token, never a result."""
    members: dict[str, Any] = {"error": type(error).__name__, "sentence": str(error)}
    if isinstance(error, AegisDenied):
        members |= {
            "reason": error.reason,
            "decision_id": error.decision_id,
            "retryable": error.retryable,
            "retry_after": error.retry_after,
        }
    if isinstance(error, ApprovalNeeded):
        members |= {"reason": error.reason, "decision_id": error.decision_id}
        members |= {"approval_id": error.approval_id, "expires_at": error.expires_at}
    return members
