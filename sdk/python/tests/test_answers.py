"""What is a refusal and what is not; and a refusal that cannot be read is still one."""

from __future__ import annotations

import pytest

from aegis_agent import AegisDenied, ApprovalNeeded
from aegis_agent.answers import is_refusal, refusal_error
from aegis_agent.errors import Standing

PROBLEM = "application/problem+json"


def ask(approval_id: str) -> Standing:
    return Standing("denied", approval_id, 0)


@pytest.mark.parametrize(
    ("decision", "media_type", "is_refused"),
    [
        (None, PROBLEM, False),
        ("allow", PROBLEM, False),
        ("sanitize", "application/json", False),
        ("deny", PROBLEM, True),
        ("deny", "text/html", True),
        ("approval_needed", f"{PROBLEM}; charset=utf-8", True),
        ("a word of tomorrow", PROBLEM, True),
        ("deny", "application/json", False),  # of MCP: the result that the model is shown
    ],
)
def test_the_mesh_says_in_a_header_whether_it_refused(decision: str | None, media_type: str, is_refused: bool) -> None:
    headers = {"content-type": media_type, **({} if decision is None else {"x-aegis-decision": decision})}
    assert is_refusal(headers) is is_refused


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[]", b'{"detail": 1, "reason": []}', b'{"detail": "a", "detail": "b"}', b"[" * 100_000]
)
def test_a_refusal_that_cannot_be_read_is_a_denial(body: bytes) -> None:
    error = refusal_error(403, {"x-aegis-decision": "deny", "x-aegis-decision-id": "d1"}, body, ask)
    assert isinstance(error, AegisDenied)
    assert (error.sentence, error.decision_id) == ("The call was refused. Do not repeat it as it is.", "d1")
    assert (error.reason, error.retryable) == ("", False)


def test_a_denial_says_when_the_call_may_go_through() -> None:
    body = b'{"reason": "BUDGET_EXCEEDED", "detail": "Wait.", "retry": "later"}'
    error = refusal_error(429, {"x-aegis-decision": "deny", "retry-after": "30"}, body, ask)
    assert isinstance(error, AegisDenied)
    assert (error.retryable, error.retry_after, str(error)) == (True, 30.0, "Wait.")


def test_an_approval_is_one_only_where_the_mesh_says_so_and_names_it() -> None:
    body = (
        b'{"detail": "Held.", "approval": {"id": "apr_1", "status_url": "http://elsewhere.example/", "expires_at": 9}}'
    )
    assert isinstance(refusal_error(403, {"x-aegis-decision": "deny"}, body, ask), AegisDenied)
    assert isinstance(refusal_error(403, {"x-aegis-decision": "approval_needed"}, b"{}", ask), AegisDenied)
    held = refusal_error(403, {"x-aegis-decision": "approval_needed"}, body, ask)
    assert isinstance(held, ApprovalNeeded)
    assert (held.approval_id, held.expires_at) == ("apr_1", 9.0)
