"""Registered agents inside a bundle: what is written is what is read, and nothing else is."""

from __future__ import annotations

from typing import Any

import pytest

from aegis_authz.core.identity import Way
from aegis_authz.core.registration import DEFAULT_WAYS, AgentKey, Registration, Registry
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.policy.bundle.agent_data import agents_from_data, agents_to_data

PAYER, SHOP = Scope("acme", "emea", "payer"), Scope("acme", "emea", "shop")
DIGEST = "a" * 64
AGENTS = {
    SHOP: Registration(DEFAULT_WAYS, (), frozenset()),
    PAYER: Registration(
        frozenset((Way.AGENT_KEY, Way.WORKLOAD)),
        (AgentKey(DIGEST, ("10.0.0.0/8",), Epoch(5.0), None), AgentKey("b" * 64, ("::1/128",), Epoch(0.0), Epoch(9.0))),
        frozenset(("spiffe://prod.example/payer",)),
    ),
}


def test_what_is_written_is_read() -> None:
    registry = agents_from_data(agents_to_data(AGENTS))
    assert registry == Registry.of(AGENTS)
    assert registry.by_key_digest == {DIGEST: PAYER, "b" * 64: PAYER}
    assert registry.by_spiffe_id == {"spiffe://prod.example/payer": PAYER}


def test_an_agent_that_nobody_registered_has_the_strong_ways_alone() -> None:
    registration = agents_from_data({}).of_agent(PAYER)
    assert registration.ways == {Way.BOUND, Way.TOKEN}
    assert (registration.agent_keys, registration.spiffe_ids) == ((), frozenset())


def test_two_agents_never_share_a_secret_or_a_spiffe_id() -> None:
    for registration in (
        Registration(DEFAULT_WAYS, AGENTS[PAYER].agent_keys, frozenset()),
        Registration(DEFAULT_WAYS, (), AGENTS[PAYER].spiffe_ids),
    ):
        with pytest.raises(ValueError, match="share"):
            Registry.of({**AGENTS, SHOP: registration})


@pytest.mark.parametrize(
    "change",
    [
        {"ways": ["anything"]},
        {"ways": "bound"},
        {"agent_keys": [{"digest": "short", "ranges": ["10.0.0.0/8"], "starts_at": 0, "ends_at": None}]},
        {"agent_keys": [{"digest": DIGEST, "ranges": [], "starts_at": 0, "ends_at": None}]},
        {"agent_keys": [{"digest": DIGEST, "ranges": ["nowhere"], "starts_at": 0, "ends_at": None}]},
        {"agent_keys": [{"digest": DIGEST, "ranges": ["10.0.0.0/8"], "starts_at": None, "ends_at": None}]},
        {"agent_keys": [{"digest": DIGEST, "ranges": ["10.0.0.0/8"], "starts_at": 0, "ends_at": float("nan")}]},
        {"spiffe_ids": [7]},
        {"more": 1},
    ],
)
def test_any_surprise_is_refused(change: dict[str, Any]) -> None:
    data: dict[str, Any] = {"acme/emea/payer": {"ways": ["bound"], "agent_keys": [], "spiffe_ids": [], **change}}
    with pytest.raises(ValueError, match=r"."):
        agents_from_data(data)


def test_a_name_that_is_no_agent_is_refused() -> None:
    with pytest.raises(ValueError, match="org/tenant/agent"):
        agents_from_data({"acme/emea": {"ways": ["bound"], "agent_keys": [], "spiffe_ids": []}})
