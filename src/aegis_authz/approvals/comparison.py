"""What a held call differs in from the last one like it, and what its agent asked lately."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from aegis_authz.core.approval import Approval, ApprovalRequest, ApprovalState
from aegis_authz.core.json_value import Json

_DECIDED = frozenset({ApprovalState.APPROVED, ApprovalState.USED, ApprovalState.DENIED})


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that is another: where it is, and both as JSON in ASCII, "" for none."""

    place: str
    before: str
    now: str


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of an agent's calls before this: the last like it that was decided, None for none, what differs
    from that, and the agent's calls, the newest first.
    """

    last: Approval | None
    differences: tuple[Difference, ...]
    calls: tuple[Approval, ...]


NO_PAST = Past(None, (), ())


def past_of(request: ApprovalRequest, approvals: Sequence[Approval], most: int) -> Past:
    """The past of a held call among these, with at most so many calls."""
    others = [
        approval
        for approval in approvals
        if approval.request.scope == request.scope and approval.request.id != request.id
    ]
    calls = sorted(others, key=lambda approval: approval.request.requested_at, reverse=True)[:most]
    alike = [
        approval
        for approval in others
        if (approval.request.tool, approval.request.action) == (request.tool, request.action)
        and approval.state in _DECIDED
        and approval.decided_at is not None
    ]
    last = max(alike, key=lambda approval: approval.decided_at or 0.0, default=None)
    return Past(last, () if last is None else differences(last.request, request), tuple(calls))


def differences(before: ApprovalRequest, now: ApprovalRequest) -> tuple[Difference, ...]:
    """What the parameters of a call and what is beside them have otherwise than those of another, in order."""
    then, later = dict(_leaves(before)), dict(_leaves(now))
    places = sorted(then.keys() | later.keys())
    pairs = ((place, then.get(place, ""), later.get(place, "")) for place in places)
    return tuple(Difference(place, old, new) for place, old, new in pairs if old != new)


def _leaves(request: ApprovalRequest) -> Iterator[tuple[str, str]]:
    yield from _walk("", request.parameters)
    yield from _walk("besides", request.besides)


def _walk(place: str, value: Json | Mapping[str, Json]) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and (value or not place):
        for name, member in value.items():
            # as JSON writes it: a name with a dot in it is no path, and hides in none
            part = name if name.isascii() and name.isidentifier() else json.dumps(name)
            yield from _walk(f"{place}.{part}" if place else part, member)
        return
    yield place, json.dumps(value, sort_keys=True)
