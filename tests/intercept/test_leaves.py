"""Leaves that were made already, and how many names clients may have certified."""

from __future__ import annotations

import pytest

from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.intercept.authority import NotCertified, new_authority
from aegis_authz.intercept.leaves import Allowance, Leaves

NOW = Epoch(1_800_000_000.0)
AUTHORITY = new_authority(NOW)


def test_a_host_keeps_its_leaf_until_half_of_its_life() -> None:
    leaves = Leaves(10, Seconds(100.0))
    first = leaves.leaf(AUTHORITY, "a.example", NOW)
    assert leaves.leaf(AUTHORITY, "a.example", Epoch(NOW + 49)) is first
    assert leaves.leaf(AUTHORITY, "a.example", Epoch(NOW + 50)) is not first


def test_the_oldest_leaf_is_forgotten_beyond_the_bound() -> None:
    leaves = Leaves(2)
    first = leaves.leaf(AUTHORITY, "a.example", NOW)
    leaves.leaf(AUTHORITY, "b.example", NOW)
    assert leaves.leaf(AUTHORITY, "a.example", NOW) is first
    leaves.leaf(AUTHORITY, "c.example", NOW)
    assert len(leaves) == 2
    assert leaves.leaf(AUTHORITY, "a.example", NOW) is first


def test_another_authority_begins_with_none() -> None:
    leaves = Leaves(10)
    first = leaves.leaf(AUTHORITY, "a.example", NOW)
    other = new_authority(NOW)
    assert leaves.leaf(other, "a.example", NOW) is not first
    assert len(leaves) == 1


def test_what_is_not_certified_is_not_kept() -> None:
    leaves = Leaves(10)
    with pytest.raises(NotCertified):
        leaves.leaf(AUTHORITY, "A.example", NOW)
    assert len(leaves) == 0


def test_clients_get_so_many_names_in_all_and_so_many_in_a_minute() -> None:
    allowance = Allowance(most=3, per_minute=2)
    assert [allowance.take(name, NOW) for name in ("a", "b", "c")] == [True, True, False]
    assert allowance.take("a", NOW)
    assert not allowance.take("c", Epoch(NOW + 59))
    assert allowance.take("c", Epoch(NOW + 60))
    assert not allowance.take("d", Epoch(NOW + 3600))
    assert allowance.take("c", Epoch(NOW + 3600))
