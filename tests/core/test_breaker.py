"""Which breakers watch an agent."""

from __future__ import annotations

from aegis_authz.core.breaker import COUNTED_REFUSALS, NO_BREAKERS, Breaker, Breakers
from aegis_authz.core.reason import REASONS, Retry
from aegis_authz.core.scope import Scope


def breaker(name: str) -> Breaker:
    return Breaker(name, "p", 5, None, 60_000, 900_000)


def test_every_breaker_in_whose_scope_an_agent_is_watches_it() -> None:
    breakers = Breakers.by({"acme/emea/*": (breaker("a"),), "acme/*/bot": (breaker("b"),), "acme/apac/*": ()})
    assert {entry.id for entry in breakers.of(Scope("acme", "emea", "bot"))} == {"a", "b"}
    assert {entry.id for entry in breakers.of(Scope("acme", "emea", "cat"))} == {"a"}
    assert breakers.of(Scope("acme", "apac", "cat")) == ()
    assert NO_BREAKERS.of(Scope("acme", "emea", "bot")) == ()


def test_nothing_that_is_our_own_fault_counts_against_an_agent() -> None:
    assert all(REASONS[reason].retry is Retry.NEVER for reason in COUNTED_REFUSALS)
