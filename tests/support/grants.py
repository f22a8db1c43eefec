"""Grants made by chance, and what they allow told once more, plainly, from docs/grants.md alone. It decides nothing."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from typing import Any

NOW = 1_800_000_000
TOOLS = ("bank", "vault")
ACTIONS = ("pay", "refund")
PARAMETERS = ("payee", "/to/iban")
VALUES = ("Muster", "Evil", 1, 2.5, True)
ELSEWHERE = "elsewhere"
"""A tool, an action and a value that no grant names."""

Claim = dict[str, Any]
TriedCall = tuple[str, str, Mapping[str, Any]]
"""A tool, an action, and the values of the parameters that are there."""


def grant_claim(**changes: Any) -> Claim:
    """A grant as a token has it; a member that is changed to None is left out."""
    whole: Claim = {
        "id": "g" * 22,
        "iat": NOW - 200,
        "exp": NOW + 600,
        "depth": 2,
        "tools": {"bank": {"pay": {"payee": ["Muster"]}}},
    } | changes
    return {name: value for name, value in whole.items() if value is not None}


def random_claim(chance: random.Random, within: Claim | None = None) -> Claim:
    """A grant by chance; one within another is mostly inside of it, and now and then in one thing wider."""
    parent = within or grant_claim(depth=5, exp=NOW + 900, tools={"*": {"*": {}}})
    claim = grant_claim(
        id=f"{chance.getrandbits(128):032x}",
        iat=parent["iat"] + chance.choice([0, 0, 0, 1, 50]),
        exp=parent["exp"] - chance.choice([0, 1, 100]),
        depth=max(parent["depth"] - chance.choice([1, 1, 1, 2]), 0),
        tools=_narrowed(parent["tools"], chance),
    )
    most = parent.get("calls")
    if chance.random() < 0.5:
        claim["calls"] = chance.randint(1, most or 50)
    if within is not None:
        claim["within"] = within
        if chance.random() < 0.3:
            _widen(claim, parent, chance)
    return claim


def _narrowed(tools: Claim, chance: random.Random) -> Claim:
    names = _some(tools, TOOLS, chance)
    narrowed: Claim = {}
    for tool in names:
        actions = tools.get(tool, tools.get("*"))
        narrowed[tool] = {}
        for action in _some(actions, ACTIONS, chance):
            pins = dict(actions.get(action, actions.get("*")))
            for parameter in PARAMETERS:
                if chance.random() < 0.4:
                    allowed = pins.get(parameter, list(VALUES))
                    pins[parameter] = chance.sample(allowed, chance.randint(1, len(allowed)))
            narrowed[tool][action] = pins
    return narrowed


def _some(members: Claim, names: tuple[str, ...], chance: random.Random) -> list[str]:
    if "*" in members:
        return ["*"] if chance.random() < 0.3 else chance.sample(names, chance.randint(1, len(names)))
    return chance.sample(sorted(members), chance.randint(1, len(members)))


def _widen(claim: Claim, parent: Claim, chance: random.Random) -> None:
    tool = chance.choice(sorted(claim["tools"]))
    action = chance.choice(sorted(claim["tools"][tool]))
    match chance.randrange(7):
        case 0:
            claim["depth"] = min(parent["depth"], 4)
        case 1:
            claim["exp"] = parent["exp"] + 1
        case 2:
            claim["calls"] = (parent.get("calls") or 1) + 1
        case 3:
            claim["tools"][tool][action] = {}
        case 4:
            claim["tools"][tool][action]["payee"] = list(VALUES)
        case 5:
            claim["tools"] = {"*": {"*": {}}}
        case _:
            claim["tools"][tool] = {chance.choice([*ACTIONS, "*"]): {}}


def links(claim: Claim) -> list[Claim]:
    """The grants of a chain, the widest first."""
    return [*links(claim["within"]), claim] if "within" in claim else [claim]


def allows(link: Claim, call: TriedCall) -> bool:
    """Whether one grant, by itself, allows a call."""
    tool, action, parameters = call
    actions = link["tools"].get(tool, link["tools"].get("*"))
    if actions is None:
        return False
    pins = actions.get(action, actions.get("*"))
    return pins is not None and all(
        parameter in parameters and any(_same(parameters[parameter], value) for value in values)
        for parameter, values in pins.items()
    )


def is_wider(parent: Claim, child: Claim) -> bool:
    """Whether the child grants anything that its parent does not."""
    return (
        child["depth"] >= parent["depth"]
        or child["exp"] > parent["exp"]
        or child["iat"] < parent["iat"]
        or ("calls" in parent and child.get("calls", 0) > parent["calls"])
        or any(allows(child, call) and not allows(parent, call) for call in every_call())
    )


def every_call() -> Iterator[TriedCall]:
    """Every call there is in a world that is small enough to walk through, and something in it that no grant names."""
    choices = (*VALUES, ELSEWHERE, None)
    for tool in (*TOOLS, ELSEWHERE):
        for action in (*ACTIONS, ELSEWHERE):
            for payee in choices:
                for iban in choices:
                    pairs = zip(PARAMETERS, (payee, iban), strict=True)
                    yield tool, action, {name: value for name, value in pairs if value is not None}


def _same(left: Any, right: Any) -> bool:
    return isinstance(left, bool) == isinstance(right, bool) and left == right
