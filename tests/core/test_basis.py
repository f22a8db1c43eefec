"""The basis of a decision: the documents in scope and the tool, and nothing else."""

from __future__ import annotations

from types import MappingProxyType

from hypothesis import assume, given
from hypothesis import strategies as st

from aegis_authz.core.basis import Bases
from aegis_authz.core.scope import Scope
from aegis_authz.core.scope_shape import scope_shape
from aegis_authz.policy.language.scope import covers

NAMES = st.text("ab", min_size=1, max_size=3)
PARTS = st.one_of(NAMES, st.just("*"), NAMES.map(lambda name: name + "*"))
SCOPES = st.tuples(PARTS, PARTS, PARTS).map("/".join)
AGENTS = st.builds(Scope, NAMES, NAMES, NAMES)
DIGESTS = st.sampled_from("pqr")
DOCUMENTS = st.dictionaries(SCOPES, DIGESTS, max_size=5)
TOOLS = st.dictionaries(st.sampled_from(["stripe", "github"]), DIGESTS, max_size=2)


def bases(documents: dict[str, str], tools: dict[str, str]) -> Bases:
    shapes = frozenset(scope_shape(scope) for scope in documents)
    return Bases(shapes, MappingProxyType(documents), MappingProxyType(tools))


@given(AGENTS, DOCUMENTS, DOCUMENTS, TOOLS)
def test_the_basis_is_another_exactly_when_a_document_in_scope_is(
    agent: Scope, before: dict[str, str], after: dict[str, str], tools: dict[str, str]
) -> None:
    in_scope = [
        {scope: digest for scope, digest in side.items() if covers(scope, str(agent))} for side in (before, after)
    ]
    same = bases(before, tools).of(agent, "stripe") == bases(after, tools).of(agent, "stripe")
    assert same == (in_scope[0] == in_scope[1])


@given(AGENTS, DOCUMENTS, TOOLS, TOOLS)
def test_the_basis_is_another_exactly_when_the_tool_is(
    agent: Scope, documents: dict[str, str], before: dict[str, str], after: dict[str, str]
) -> None:
    same = bases(documents, before).of(agent, "stripe") == bases(documents, after).of(agent, "stripe")
    assert same == (before.get("stripe") == after.get("stripe"))


@given(AGENTS, DOCUMENTS, TOOLS)
def test_two_tools_have_two_bases(agent: Scope, documents: dict[str, str], tools: dict[str, str]) -> None:
    assume(tools)
    known = bases(documents, tools)
    assert known.of(agent, "stripe") != known.of(agent, "github")
