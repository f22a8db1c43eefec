"""What is known around a call, and which session it belongs to."""

from __future__ import annotations

import pytest

from aegis_authz.core.circumstances import session_name


@pytest.mark.parametrize(
    ("token", "digest", "name"),
    [("task-4711", "", "task-4711"), ("task-4711", "ab12", "task-4711"), ("", "ab12", "mcp:ab12"), ("", "", "")],
)
def test_a_session_is_that_of_the_token_else_of_mcp_and_else_there_is_none(token: str, digest: str, name: str) -> None:
    assert session_name(token, digest) == name
