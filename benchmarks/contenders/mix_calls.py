"""The calls of the mix, drawn by a seed: bodies of 0.2 to 20 KB, 5 % due to be denied, 2 % to be held, some of MCP."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import cycle
from random import Random
from string import ascii_lowercase
from typing import Any

from aegis_authz.load.calls import Call, Due
from benchmarks.contenders.mix_world import (
    CURRENCIES,
    METHODS,
    MOST_LABELS,
    MOST_NOTE,
    STATUSES,
    MixTool,
    Rights,
    Shape,
    World,
)

LEAST_BODY, MOST_BODY = 200, 20_000
"""Bytes; sizes between them are log-uniform."""
DENIED_SHARE, HELD_SHARE = 0.05, 0.02
READ_SHARE = 0.1
"""Of calls that read, and have no body by HTTP; the others are even among the three shapes that write."""
MCP_SHARE = 0.1
KEYS = 2
"""Keys of issuers that tokens are signed with, in equal shares."""
HELD = Due(403, "APPROVAL_NEEDED")
_DENIED = Due(403, "POLICY_DENIED")
_ALLOWED = Due(200)
_STRANGER_SHARE = 0.2
"""Of the denied calls those of a tool that the agent has no rule for; the others break a condition."""
_WORDS = (
    *("delivery", "invoice", "customer", "please", "confirm", "before", "Friday", "warehouse", "north", "order"),
    *("priority", "replacement", "bearing", "steel", "weekly", "review", "attached", "signed", "quantity", "urgent"),
)
_COUNTRIES = ("DE", "FR", "PL", "SE", "US", "GB")
_JSON = {"Content-Type": "application/json"}
_MCP = {**_JSON, "Accept": "application/json, text/event-stream"}


class Verdict(Enum):
    """What becomes of a call."""

    ALLOWED = "allowed"
    DENIED = "denied"
    HELD = "held"


_DUE = {Verdict.ALLOWED: _ALLOWED, Verdict.DENIED: _DENIED, Verdict.HELD: HELD}


@dataclass(frozen=True, slots=True)
class MixCall:
    """A call of this agent on this tool, its token signed by the key of this number."""

    rights: Rights
    tool: MixTool
    key: int
    call: Call


def draw(world: World, agents: Sequence[Rights], count: int, seed: int) -> list[MixCall]:
    """So many calls of these agents. With the same seed they are the same, and in the same order."""
    chance = Random(seed)  # noqa: S311  # nothing secret
    # held calls are of all in turn: an agent has at most so many that wait
    holders = cycle(agents)
    return [
        _drawn(world, next(holders) if verdict is Verdict.HELD else chance.choice(agents), verdict, chance)
        for verdict in _verdicts(count, chance)
    ]


def _verdicts(count: int, chance: Random) -> list[Verdict]:
    """Exactly the shares, in an order by chance."""
    denied, held = round(count * DENIED_SHARE), round(count * HELD_SHARE)
    verdicts = [Verdict.DENIED] * denied + [Verdict.HELD] * held
    verdicts += [Verdict.ALLOWED] * (count - len(verdicts))
    chance.shuffle(verdicts)
    return verdicts


def _drawn(world: World, rights: Rights, verdict: Verdict, chance: Random) -> MixCall:
    shape = _shape(verdict, chance)
    is_mcp = chance.random() < MCP_SHARE
    is_stranger = verdict is Verdict.DENIED and chance.random() < _STRANGER_SHARE
    tools = [tool for tool in world.tools if tool not in rights.tools] if is_stranger else rights.tools
    tool = chance.choice([tool for tool in tools if tool.is_mcp is is_mcp])
    breaks = verdict is Verdict.DENIED and not is_stranger
    subject = "".join(chance.choices(ascii_lowercase, k=3)) + f"-{chance.randrange(10**6):06}"
    if breaks and shape is Shape.READ:
        subject = subject.replace("-", ".")
    size = round(LEAST_BODY * (MOST_BODY / LEAST_BODY) ** chance.random())
    arguments = _arguments(rights, shape, verdict if not is_stranger else Verdict.ALLOWED, size, chance)
    return MixCall(rights, tool, chance.randrange(KEYS), _call(tool, shape, subject, arguments, _DUE[verdict], chance))


def _shape(verdict: Verdict, chance: Random) -> Shape:
    if verdict is Verdict.HELD:
        return Shape.CREATE
    if chance.random() < READ_SHARE:
        return Shape.READ
    return chance.choice((Shape.CREATE, Shape.UPDATE, Shape.MESSAGE))


def _call(tool: MixTool, shape: Shape, subject: str, arguments: dict[str, Any], due: Due, chance: Random) -> Call:
    path = tool.path(shape, subject)
    if tool.is_mcp:
        own = {} if shape is Shape.CREATE else {"id": subject}
        params = {"name": tool.action(shape), "arguments": {**own, **arguments}}
        message = {"jsonrpc": "2.0", "id": chance.randrange(1, 10**6), "method": "tools/call", "params": params}
        return Call(path, due, "POST", tool.host, json.dumps(message).encode(), _MCP)
    if shape is Shape.READ:
        return Call(f"{path}?view={arguments['view']}", due, METHODS[shape], tool.host, b"", {})
    return Call(path, due, METHODS[shape], tool.host, json.dumps(arguments).encode(), _JSON)


def _arguments(rights: Rights, shape: Shape, verdict: Verdict, size: int, chance: Random) -> dict[str, Any]:
    """What a call of this shape says, in about so many bytes."""
    if shape is Shape.CREATE:
        return _order(rights, verdict, size, chance)
    breaks = verdict is Verdict.DENIED
    if shape is Shape.UPDATE:
        statuses = [status for status in STATUSES if (status in rights.statuses) is not breaks]
        fields = {f"field_{number}": _text(chance, 40) for number in range(max(size - 240, 0) // 58)}
        return {"status": chance.choice(statuses), "note": _text(chance, MOST_NOTE // 2), "attributes": fields}
    if shape is Shape.MESSAGE:
        domain = "elsewhere.example" if breaks else chance.choice(rights.domains)
        labels = [chance.choice(_WORDS) for _ in range(chance.randint(0, MOST_LABELS))]
        text = _text(chance, max(size - 150, 60))
        to = f"{chance.choice(_WORDS)}@{domain}"
        return {"to": to, "subject": _text(chance, 50), "labels": labels, "text": text}
    return {"view": chance.choice(("full", "short", "audit"))}


def _order(rights: Rights, verdict: Verdict, size: int, chance: Random) -> dict[str, Any]:
    amount, currency = chance.randint(1, rights.held_over), chance.choice(rights.currencies)
    if verdict is Verdict.HELD:
        amount = chance.randint(rights.held_over + 1, rights.most)
    elif verdict is Verdict.DENIED and chance.random() < 0.5:
        amount = rights.most + chance.randint(1, 10_000)
    elif verdict is Verdict.DENIED:
        currency = chance.choice([name for name in CURRENCIES if name not in rights.currencies])
    lines = [
        {
            "sku": f"{chance.randrange(10**8):08}",
            "quantity": chance.randint(1, 90),
            "price": chance.randint(100, 9_999) / 100,
            "text": _text(chance, 30),
        }
        for _ in range(max(size - 240, 0) // 96)
    ]
    customer = {"id": chance.randrange(10**6), "name": _text(chance, 20), "country": chance.choice(_COUNTRIES)}
    reference = f"INV-{chance.randrange(10**6):06}"
    order = {"amount": amount, "currency": currency, "reference": reference, "customer": customer}
    return {**order, "lines": lines, "note": _text(chance, 60)}


def _text(chance: Random, length: int) -> str:
    """So many characters of words, whatever word the last is cut in."""
    return " ".join(chance.choices(_WORDS, k=length // 6 + 1))[:length].rstrip()
