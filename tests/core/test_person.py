from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.person import WHOLE_MESH, Domain, Person, Role, RoleBinding
from aegis_authz.core.scope import Scope

ORGS = st.sampled_from(("acme", "globex", "*"))
TENANTS = st.sampled_from(("emea", "apac", "*"))
DOMAINS = st.builds(lambda org, tenant: Domain(org, "*" if org == "*" else tenant), ORGS, TENANTS)


@pytest.mark.parametrize("text", ["acme/emea", "acme", "*"])
def test_a_domain_reads_as_it_is_written(text: str) -> None:
    assert str(Domain.parse(text)) == text


@pytest.mark.parametrize("text", ["", "/", "acme/", "/emea", "*/emea", "a/b/c", "ACME", "acme /emea", "**"])
def test_a_domain_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="whole mesh"):
        Domain.parse(text)


def test_a_domain_covers_itself_and_what_is_within() -> None:
    emea, acme = Domain.parse("acme/emea"), Domain.parse("acme")
    assert emea.covers(Domain.of(Scope("acme", "emea", "bot")))
    assert acme.covers(emea)
    assert WHOLE_MESH.covers(acme)


def test_a_domain_covers_nothing_beside_or_above_it() -> None:
    emea, acme = Domain.parse("acme/emea"), Domain.parse("acme")
    assert not emea.covers(Domain.parse("acme/apac"))
    assert not emea.covers(Domain.parse("globex/emea"))
    assert not emea.covers(acme)
    assert not acme.covers(WHOLE_MESH)


@given(DOMAINS, DOMAINS, DOMAINS)
def test_what_is_covered_by_what_is_covered_is_covered(first: Domain, second: Domain, third: Domain) -> None:
    assert not (first.covers(second) and second.covers(third)) or first.covers(third)


@given(DOMAINS, DOMAINS)
def test_two_that_cover_each_other_are_the_same(first: Domain, second: Domain) -> None:
    assert (first.covers(second) and second.covers(first)) == (first == second)


@pytest.mark.parametrize("scope", [Scope("", "emea", "bot"), Scope("acme", "*", "bot"), Scope("*", "*", "bot")])
def test_an_agent_without_a_tenant_is_in_no_domain(scope: Scope) -> None:
    with pytest.raises(ValueError, match=r"tenant|mesh"):
        Domain.of(scope)


@pytest.mark.parametrize("text", ["owner", "approver@acme", "viewer@acme/emea"])
def test_a_role_reads_as_it_is_written(text: str) -> None:
    assert str(RoleBinding.parse(text)) == text


@pytest.mark.parametrize("text", ["", "root", "Owner", "owner@", "@acme", "owner@acme/", "owner@a@b"])
def test_a_role_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="must be"):
        RoleBinding.parse(text)


@pytest.mark.parametrize("person_id", ["", "Ann", "ann lee", "-ann", "ann/x", "a" * 129, "ann\n", "änn"])
def test_a_person_needs_an_id_that_is_read_one_way(person_id: str) -> None:
    with pytest.raises(ValueError, match="id"):
        Person(person_id, "Ann", frozenset(), ())


@pytest.mark.parametrize("name", ["", "a\nb", "a" * 129])
def test_a_person_needs_a_name_on_one_line(name: str) -> None:
    with pytest.raises(ValueError, match="name"):
        Person("ann", name, frozenset(), ())


def test_a_group_is_a_name_too() -> None:
    with pytest.raises(ValueError, match="group"):
        Person("ann", "Ann", frozenset({"Finance Team"}), (RoleBinding(Role.APPROVER, WHOLE_MESH),))
