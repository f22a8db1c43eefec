"""Scopes of many agents, and the shapes by which they are looked up."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.scope_shape import covering, scope_shape
from aegis_authz.policy.language.scope import covers

NAMES = st.text("ab-", min_size=1, max_size=4)
PARTS = st.one_of(NAMES, st.just("*"), NAMES.map(lambda name: name + "*"))
SCOPES = st.tuples(PARTS, PARTS, PARTS).map("/".join)
AGENTS = st.tuples(NAMES, NAMES, NAMES).map("/".join)


@pytest.mark.parametrize(
    ("scope", "shape"),
    [("a/b/c", ("", "", "")), ("a/*/c", ("", "*", "")), ("*/*/fin-*", ("*", "*", 4)), ("a*/b/*", (1, "", "*"))],
)
def test_a_scope_has_the_shape_it_is_written_in(scope: str, shape: tuple[str | int, ...]) -> None:
    assert scope_shape(scope) == shape


def test_an_agent_is_covered_by_what_each_shape_makes_of_its_name() -> None:
    shapes = {("", "", ""), ("", "", 2), ("", "", 9), ("*", "*", "*")}
    assert sorted(covering("o/t/agent", shapes)) == ["*/*/*", "o/t/ag*", "o/t/agent"]


@given(st.lists(SCOPES, max_size=6), AGENTS)
def test_looking_up_finds_exactly_the_scopes_that_cover(scopes: list[str], agent: str) -> None:
    found = set(covering(agent, {scope_shape(scope) for scope in scopes})) & set(scopes)
    assert found == {scope for scope in scopes if covers(scope, agent)}
