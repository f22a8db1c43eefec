"""What a token narrows its agent to: a chain of narrowings, each inside the one before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aegis_authz.core.units import Digest, Epoch

ANY = "*"
"""Every tool, or every action of a tool; it stands alone."""

MOST_NARROWINGS = 5
"""How many narrowings a chain may have: that of an agent, and four of sub-agents."""

MOST_LIFE, USUAL_LIFE = 86_400.0, 3_600.0
"""Seconds that a grant lasts at most, and where nobody says how long."""

Scalar = str | bool | int | float
Values = Mapping[str, tuple[Scalar, ...]]
"""By parameter (a name, or a JSON pointer of several parts): the values that it may have. It must be there."""

Actions = Mapping[str, Values]
Tools = Mapping[str, Actions]


@dataclass(frozen=True, slots=True)
class Narrowing:
    """One grant: what calls under it may be, how many, and until when.

    `tools` is None where that is not known, as in a record. `calls` is the most calls, None for no count of its own.
    `depth` is how often it may be narrowed again. `by` is the thumbprint of the key that asked for it, "" where that is
    not known, as in a record; a key that is revoked ends what was narrowed by it.
    """

    id: str
    issued_at: Epoch
    expires_at: Epoch
    depth: int
    calls: int | None
    tools: Tools | None
    by: str


@dataclass(frozen=True, slots=True)
class Grant:
    """What a token allows at most: its calls must satisfy policy and every narrowing of the chain.

    `digest` is the SHA-256 of its canonical form. The chain begins with the widest narrowing, that of the agent, and
    ends with that of whoever calls.
    """

    digest: Digest
    chain: tuple[Narrowing, ...]

    @property
    def expires_at(self) -> Epoch:
        """When the first of its narrowings ends."""
        return min(narrowing.expires_at for narrowing in self.chain)


def widening(parent: Narrowing, child: Narrowing) -> str:
    """In what a narrowing is wider than its parent, in a few words; "" where it is in nothing."""
    if child.depth >= parent.depth:
        return "depth"
    if child.expires_at > parent.expires_at:
        return "end"
    if child.issued_at < parent.issued_at:
        return "beginning"
    if parent.calls is not None and child.calls is not None and child.calls > parent.calls:
        return "count of calls"
    return _wider_tools(parent.tools or {}, child.tools or {})


def _wider_tools(parent: Tools, child: Tools) -> str:
    for tool, actions in child.items():
        wider = parent.get(tool, parent.get(ANY))
        if wider is None:
            return f"tool {tool}"
        for action, values in actions.items():
            limits = wider.get(action, wider.get(ANY))
            if limits is None:
                return f"action {action} of {tool}"
            for parameter, allowed in limits.items():
                if parameter not in values or not is_within(values[parameter], allowed):
                    return f"values of {parameter} in {action} of {tool}"
    return ""


def is_within(values: Sequence[Scalar], allowed: Sequence[Scalar]) -> bool:
    """Whether all the values are among the allowed: 1 is 1.0, and true is not 1."""
    return {*map(_equated, values)} <= {*map(_equated, allowed)}


def _equated(value: Scalar) -> tuple[bool, Scalar]:
    return isinstance(value, bool), value


@dataclass(frozen=True, slots=True)
class GrantRequest:
    """What somebody asks to be narrowed to; None leaves it as it is."""

    tools: Tools | None
    calls: int | None
    expires_at: Epoch | None
    depth: int | None


def narrowed(parent: Narrowing, request: GrantRequest, name: str, by: str, now: Epoch, usual_end: Epoch) -> Narrowing:
    """What the key `by` asks for, under that name from now on; it may be wider than the parent, and is held against it.

    What is not asked for is that of the parent: one level less deep, and without a count of its own.
    """
    return Narrowing(
        id=name,
        issued_at=max(now, parent.issued_at),
        expires_at=usual_end if request.expires_at is None else request.expires_at,
        depth=max(parent.depth - 1, 0) if request.depth is None else request.depth,
        calls=request.calls,
        tools=parent.tools if request.tools is None else request.tools,
        by=by,
    )
