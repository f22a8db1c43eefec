"""What nft lists, read back: the redirection it was written from, what was changed since, and tables of others."""

from __future__ import annotations

import json
from typing import Any

import pytest

from aegis_authz.intercept.packet_rules import MARKER, chains, frame_chains
from aegis_authz.intercept.redirection import Redirection
from aegis_authz.intercept.rules_in_force import StrangerTable, is_ours, read_rules

REDIRECTION = Redirection(
    (1337,), {10001: 15001, 10002: 15002}, is_pod=True, inbound=(15021,), local=(8000,), devices=("eth0",)
)


def listing(redirection: Redirection, frames: bool = False) -> dict[str, Any]:
    """What `nft -j -n list table` prints of rules that nobody changed."""
    all_chains = frame_chains(redirection) if frames else chains(redirection)
    entries: list[dict[str, Any]] = [{"metainfo": {"json_schema_version": 1}}, {"chain": {"name": MARKER}}]
    for chain in all_chains:
        head = {"type": chain.kind, "hook": chain.hook, "prio": chain.priority, "policy": chain.policy}
        entries.append({"chain": {"name": chain.name, **head}})
        entries += [{"rule": {"chain": chain.name, "expr": []}} for _ in chain.rules]
    if frames:
        return {"nftables": [*entries, {"counter": {"name": "frames", "packets": 2}}]}
    entries += [
        {"set": {"name": "gateways", "elem": list(redirection.gateways)}},
        {"counter": {"name": "refused", "packets": 7}},
    ]
    entries.append({"map": {"name": "agents", "elem": [list(pair) for pair in redirection.agents.items()]}})
    for name, elements in (
        ("others", [] if redirection.agents else [redirection.port]),
        ("names", [redirection.names_port]),
        ("inbound", list(redirection.inbound)),
        ("local", list(redirection.local)),
        ("links", list(redirection.devices)),
    ):
        entries.append({"set": {"name": name, **({"elem": elements} if elements else {})}})
    return {"nftables": entries}


def without(tables: dict[str, Any], kind: str, chain: str) -> dict[str, Any]:
    """The same listing, less one entry of a chain."""
    entries = list(tables["nftables"])
    place = next(i for i, e in enumerate(entries) if kind in e and chain in (e[kind].get("chain"), e[kind].get("name")))
    return {"nftables": [*entries[:place], *entries[place + 1 :]]}


@pytest.mark.parametrize(
    "redirection",
    [
        REDIRECTION,
        Redirection((1337, 1338), {}, is_pod=True, port=15006, names_port=15054),
        Redirection((0,), {10001: 15001}, is_pod=False),
    ],
)
def test_what_is_in_force_is_what_was_written(redirection: Redirection) -> None:
    frames = listing(redirection, frames=True) if redirection.devices else None
    in_force = read_rules(listing(redirection), frames)
    assert (in_force.redirection, in_force.damage) == (redirection, ())
    assert in_force.packets["refused"] == 7


def test_a_rule_or_a_chain_that_is_missing_is_told() -> None:
    packets, frames = listing(REDIRECTION), listing(REDIRECTION, frames=True)
    rules = len(next(chain for chain in chains(REDIRECTION) if chain.name == "leave").rules)
    assert read_rules(without(packets, "rule", "leave"), frames).damage == (
        f"the chain leave has {rules - 1} rules and not {rules}",
    )
    assert read_rules(without(packets, "chain", "divert"), frames).damage == ("the chain divert is gone",)
    assert read_rules(packets, None).damage == ("the table netdev aegis is gone",)


@pytest.mark.parametrize(("kind", "name"), [("set", "links"), ("set", "others"), ("set", "names"), ("map", "agents")])
def test_a_set_that_is_missing_is_told_for_what_it_held_is_unknown(kind: str, name: str) -> None:
    damage = read_rules(without(listing(REDIRECTION), kind, name), listing(REDIRECTION, frames=True)).damage
    assert f"the set {name} is gone" in damage


def test_a_chain_that_lets_through_by_default_is_told() -> None:
    opened = json.loads(json.dumps(listing(REDIRECTION)).replace('"policy": "drop"', '"policy": "accept"'))
    assert "the chain leave is not as it was written" in read_rules(opened, listing(REDIRECTION, frames=True)).damage


def test_a_table_of_somebody_else_is_not_ours() -> None:
    strange = {"nftables": [{"table": {"name": "aegis"}}, {"chain": {"name": "input"}}]}
    assert not is_ours(strange)
    with pytest.raises(StrangerTable, match="inet aegis"):
        read_rules(strange, None)
    with pytest.raises(StrangerTable, match="netdev aegis"):
        read_rules(listing(REDIRECTION), strange)


def test_what_is_no_listing_is_an_error() -> None:
    with pytest.raises(ValueError, match="not an object"):
        read_rules([], None)
