"""What nftables says is in force, read back as the values that rules are written from; and whether they are whole.

Source: libnftables-json(5), as `nft -j -n list table` prints it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from aegis_authz.core.json_value import Json
from aegis_authz.core.redirection_ports import NAMES_PORT, TRANSPARENT_PORT
from aegis_authz.encoding.narrowing import integer, items, mapping, text
from aegis_authz.intercept.packet_rules import MARKER, SETS, Chain, chains, frame_chains
from aegis_authz.intercept.redirection import Redirection


class StrangerTable(ValueError):
    """A table of our name that we did not write."""


@dataclass(frozen=True, slots=True)
class RulesInForce:
    """The redirection that is on, packets counted since it was put up, and a sentence for each thing that is not as it
    was written."""

    redirection: Redirection
    packets: Mapping[str, int]
    damage: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Table:
    chains: Mapping[str, tuple[str, str, int, str]]
    rules: Mapping[str, int]
    sets: Mapping[str, tuple[Json, ...]]
    counters: Mapping[str, int]


def is_ours(listing: Json) -> bool:
    """Whether a table that nft listed is one that we wrote. Raises ValueError for what is no listing."""
    return MARKER in _table(listing).chains


def read_rules(packets: Json, frames: Json | None) -> RulesInForce:
    """What is on, by the listings of the tables `inet aegis` and `netdev aegis`, None where there is no such.

    Raises StrangerTable for a table that we did not write, ValueError for one that cannot be read.
    """
    inet = _table(packets)
    netdev = None if frames is None else _table(frames)
    for family, table in (("inet", inet), ("netdev", netdev)):
        if table is not None and MARKER not in table.chains:
            raise StrangerTable(f"the table {family} aegis was not written by aegis intercept")
    agents = {_number(pair, 0): _number(pair, 1) for pair in inet.sets.get("agents", ())}
    redirection = Redirection(
        gateways=_numbers(inet, "gateways"),
        agents=agents,
        is_pod="enter" in inet.chains,
        port=next(iter(_numbers(inet, "others")), TRANSPARENT_PORT),
        names_port=next(iter(_numbers(inet, "names")), NAMES_PORT),
        inbound=_numbers(inet, "inbound"),
        local=_numbers(inet, "local"),
        devices=tuple(text(name, "a device") for name in inet.sets.get("links", ())),
    )
    # a set that is gone reads as an empty one: nothing else would say what it held
    damage = [f"the set {name} is gone" for name in SETS if name not in inet.sets]
    damage += _damage(chains(redirection), inet)
    if netdev is not None:
        damage += _damage(frame_chains(redirection), netdev)
    elif redirection.devices:
        damage.append("the table netdev aegis is gone")
    counters = {**inet.counters, **({} if netdev is None else netdev.counters)}
    return RulesInForce(redirection, counters, tuple(damage))


def _damage(expected: Iterable[Chain], table: _Table) -> Iterable[str]:
    for chain in expected:
        head = table.chains.get(chain.name)
        if head != (chain.kind, chain.hook, chain.priority, chain.policy):
            yield f"the chain {chain.name} is not as it was written" if head else f"the chain {chain.name} is gone"
        rules = table.rules.get(chain.name, 0)
        if rules != len(chain.rules):
            yield f"the chain {chain.name} has {rules} rules and not {len(chain.rules)}"


def _table(listing: Json) -> _Table:
    hooks: dict[str, tuple[str, str, int, str]] = {}
    rules: dict[str, int] = {}
    sets: dict[str, tuple[Json, ...]] = {}
    counters: dict[str, int] = {}
    for entry in items(mapping(listing, "the listing").get("nftables", []), "nftables"):
        for kind, value in mapping(entry, "an entry").items():
            members = mapping(value, kind)
            if kind == "chain":
                hooks[text(members["name"], "a chain")] = _head(members)
            elif kind == "rule":
                name = text(members["chain"], "a chain")
                rules[name] = rules.get(name, 0) + 1
            elif kind in ("set", "map"):
                sets[text(members["name"], "a set")] = tuple(items(members.get("elem", []), "elements"))
            elif kind == "counter":
                counters[text(members["name"], "a counter")] = integer(members["packets"], "packets")
    return _Table(hooks, rules, sets, counters)


def _head(members: Mapping[str, Json]) -> tuple[str, str, int, str]:
    kind, hook, policy = (text(members.get(name, ""), name) for name in ("type", "hook", "policy"))
    return kind, hook, integer(members.get("prio", 0), "prio"), policy


def _numbers(table: _Table, name: str) -> tuple[int, ...]:
    return tuple(integer(element, name) for element in table.sets.get(name, ()))


def _number(pair: Json, index: int) -> int:
    return integer(items(pair, "an agent")[index], "an agent")
