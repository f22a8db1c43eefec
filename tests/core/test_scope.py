from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.scope import NAME, Scope

NAMES = st.from_regex(NAME, fullmatch=True)


@given(NAMES, NAMES, NAMES)
def test_a_scope_is_read_back_from_its_text(org: str, tenant: str, agent: str) -> None:
    assert Scope.parse(str(Scope(org, tenant, agent))) == Scope(org, tenant, agent)


@pytest.mark.parametrize(
    "text",
    ["", "acme", "acme/emea", "acme/emea/", "/emea/bot", "acme/emea/bot/x", "acme/emea/BOT", "acme/*/bot", "a/b/c\n"],
)
def test_what_is_not_three_names_is_no_scope(text: str) -> None:
    with pytest.raises(ValueError, match="org/tenant/agent"):
        Scope.parse(text)


def test_the_tenant_path_is_the_scope_without_its_agent() -> None:
    assert Scope("acme", "emea", "bot").tenant_path == "acme/emea"
