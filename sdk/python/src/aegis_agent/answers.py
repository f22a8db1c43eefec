"""Reading the mesh's refusals: problem documents (RFC 9457), as docs/reasons.md of Aegis tells them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from aegis_agent.errors import AegisDenied, ApprovalNeeded, Refusal, Standing
from aegis_agent.strict_json import parse_object

DECISION = "x-aegis-decision"
PROBLEM_TYPE = "application/problem+json"
_LETS_THROUGH = ("allow", "sanitize")
_UNREAD = "The call was refused. Do not repeat it as it is."


def is_refusal(headers: Mapping[str, str]) -> bool:
    """Whether an answer is a refusal that its caller must be told as an exception.

    A refusal in the words of MCP is the result of the tool call, which clients of MCP show to the model: that one stays
    an answer.
    """
    decision = headers.get(DECISION, "")
    media_type = headers.get("content-type", "").partition(";")[0].strip().lower()
    is_rpc = media_type == "application/json"  # the mesh writes no other refusal under this type
    return bool(decision) and decision not in _LETS_THROUGH and not is_rpc


def refusal_error(
    status: int, headers: Mapping[str, str], body: bytes, ask: Callable[[str], Standing]
) -> AegisDenied | ApprovalNeeded:
    """The exception for an answer that `is_refusal`. What cannot be read of it is a denial that names nothing.

    `ask` says how an approval stands.
    """
    try:
        members = parse_object(body)
    except ValueError:
        members = {}
    wait = headers.get("retry-after", "")
    refusal = Refusal(
        reason=_text(members, "reason"),
        sentence=_text(members, "detail") or _UNREAD,
        decision_id=headers.get("x-aegis-decision-id", "") or _text(members, "decision_id"),
        status=status,
        retry=_text(members, "retry") or "never",
        retry_after=float(wait) if wait.isdecimal() else None,
    )
    approval = members.get("approval")
    if headers.get(DECISION) == "approval_needed" and isinstance(approval, dict) and _text(approval, "id"):
        end = approval.get("expires_at")
        expires_at = 0.0 if isinstance(end, bool) or not isinstance(end, int | float) else float(end)
        return ApprovalNeeded(refusal, _text(approval, "id"), expires_at, ask)
    return AegisDenied(refusal)


def _text(members: Mapping[str, Any], name: str) -> str:
    value = members.get(name)
    return value if isinstance(value, str) else ""
