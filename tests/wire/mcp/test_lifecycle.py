from __future__ import annotations

import re

from aegis_authz.policy.bundle.library import rego_library
from aegis_authz.wire.mcp.lifecycle import LIFECYCLE, is_lifecycle


def test_policy_has_the_same_list() -> None:
    listed = re.search(r"lifecycle := \{(.*?)\}", rego_library()["session.rego"], re.DOTALL)
    assert listed is not None
    assert frozenset(re.findall(r'"([^"]+)"', listed[1])) == LIFECYCLE


def test_what_uses_a_server_is_no_part_of_a_session() -> None:
    assert all(map(is_lifecycle, ("initialize", "tools/list", "notifications/cancelled", "response")))
    assert not any(map(is_lifecycle, ("resources/read", "prompts/get", "tasks/get", "notifications", "tools/call", "")))
