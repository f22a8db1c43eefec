"""Scopes held against each other."""

from __future__ import annotations

from aegis_authz.policy.language.scope import covers


def test_a_group_covers_the_names_that_begin_so() -> None:
    assert covers("o/t/fin-*", "o/t/fin-a")
    assert covers("o/t/fin-*", "o/t/fin-*")
    assert covers("*/*/*", "o/t/fin-*")
    assert not covers("o/t/fin-*", "o/t/final")
    assert not covers("o/t/fin-a", "o/t/fin-*")
