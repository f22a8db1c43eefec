"""Many calls decided under a draft, and where that is not what other documents decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from aegis_authz.core.decision import Decision
from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.lab.call_sources import PlacedCall
from aegis_authz.lab.trial import decided_data
from aegis_authz.lab.workbench import Workbench
from aegis_authz.policy.bundle.canonical_json import canonical
from aegis_authz.policy.compile.rules import CompiledDocument

Direction = Literal["stricter", "milder", "other"]

_COMPARED = ("effect", "reason", "obligations", "approval", "would")


@dataclass(frozen=True, slots=True)
class Simulated:
    """A call and what would be decided of it. A Refused is a decision the mesh could not read and would deny."""

    placed: PlacedCall
    decided: Decision | Refused

    @property
    def effect(self) -> Effect:
        return Effect.DENY if isinstance(self.decided, Refused) else self.decided.effect

    @property
    def reason(self) -> str:
        return self.decided.reason.value


@dataclass(frozen=True, slots=True)
class Flip:
    """A call that is decided differently after than before.

    `direction` is "other" where the effect stays; `members` are those of the decision that differ.
    """

    before: Simulated
    after: Simulated
    direction: Direction
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Summary:
    """How often each effect, strictest last, and each reason were decided, the most frequent reason first."""

    calls: int
    effects: Mapping[str, int]
    reasons: Mapping[str, int]


def simulated(bench: Workbench, calls: Sequence[PlacedCall], counts: bool = False) -> list[Simulated]:
    """Decide all calls under the documents on the bench, in order. Raises LabError, Refused.

    Where it `counts`, calls are settled in the order of their times, too: limits and breakers refuse what is beyond
    them. Else each call is decided as if nothing had been used.
    """
    if not calls:
        return []
    tried = [call.call for call in calls]
    decided: Sequence[Decision | Refused] = bench.settle(tried) if counts else bench.decide(tried)
    return [Simulated(call, decision) for call, decision in zip(calls, decided, strict=True)]


def simulated_under(
    bench: Workbench, policies: Sequence[CompiledDocument], calls: Sequence[PlacedCall], counts: bool = False
) -> list[Simulated]:
    """The same under other policies, which are on the bench from then on. Raises LabError, Refused."""
    bench.put(policies)
    return simulated(bench, calls, counts)


def limited(calls: Sequence[Simulated]) -> int:
    """How many of calls that were decided alone meet limits, which nobody counted."""
    return sum(isinstance(call.decided, Decision) and bool(call.decided.limits) for call in calls)


def flips(before: Sequence[Simulated], after: Sequence[Simulated]) -> list[Flip]:
    """Where the same calls are decided differently, in order. Which documents decided is no difference by itself."""
    changes = []
    for old, new in zip(before, after, strict=True):
        if old.decided == new.decided:
            continue
        members = _differing(old.decided, new.decided)
        if members:
            changes.append(Flip(old, new, _direction(old.effect, new.effect), members))
    return changes


def summary_of(simulations: Sequence[Simulated]) -> Summary:
    """Count effects and reasons."""
    effects = Counter(simulation.effect for simulation in simulations)
    reasons = Counter(simulation.reason for simulation in simulations)
    return Summary(
        calls=len(simulations),
        effects={effect.value: effects[effect] for effect in sorted(effects)},
        reasons=dict(sorted(reasons.items(), key=lambda item: (-item[1], item[0]))),
    )


def _differing(old: Decision | Refused, new: Decision | Refused) -> tuple[str, ...]:
    before, after = decided_data(old), decided_data(new)
    return tuple(member for member in _COMPARED if _canonical(before[member]) != _canonical(after[member]))


def _canonical(value: Json) -> bytes:
    """The text of a value; the order of obligations does not count."""
    return canonical(sorted(value, key=canonical) if isinstance(value, list) else value)


def _direction(before: Effect, after: Effect) -> Direction:
    if before is after:
        return "other"
    return "stricter" if before < after else "milder"
