from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aegis_authz.core.residency import REGION, Residency, is_of_sibling, is_tenants, regional_audience
from aegis_authz.core.scope import Scope

REGIONS = st.from_regex(REGION, fullmatch=True)


def test_a_tenant_is_at_home_by_its_name_or_with_all_of_its_org() -> None:
    residency = Residency("eu", frozenset({"acme/emea", "globex/*"}), {})
    homes = {"acme/emea/a", "globex/any/a"}
    others = {"acme/amer/a", "acm/emea/a", "globe/x/a"}
    assert {name for name in homes | others if residency.is_home(Scope.parse(name))} == homes


@pytest.mark.parametrize(
    "text", ["acme", "acme/", "/emea", "*/emea", "*/*", "acme/em*", "Acme/emea", "acme/emea/bot", ""]
)
def test_what_names_no_tenant(text: str) -> None:
    assert not is_tenants(text)


@given(st.text(max_size=40), REGIONS, REGIONS)
def test_the_audience_of_another_region_is_a_siblings_and_its_own_is_not(audience: str, own: str, other: str) -> None:
    mine, theirs = regional_audience(audience, own), regional_audience(audience, other)
    assert is_of_sibling(theirs, mine, own) == (own != other)
    assert not is_of_sibling(audience, mine, own)


def test_without_regions_the_audience_is_that_of_the_mesh() -> None:
    assert regional_audience("aegis-mesh", "") == "aegis-mesh"
