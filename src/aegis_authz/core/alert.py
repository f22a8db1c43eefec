"""Alerts: refusals of which somebody wants to learn, as documents say it; many of one kind are one alert."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from aegis_authz.core.effect import Effect
from aegis_authz.core.nobody import OF_NOBODY
from aegis_authz.core.reason import REASONS, Reason
from aegis_authz.core.scope import Scope
from aegis_authz.core.scope_shape import ScopeShape, covering, scope_shape
from aegis_authz.core.units import Epoch, Seconds

EVERY_REFUSAL = "deny"
"""The word for all of `ALERTING`."""
ALERTING = frozenset(reason for reason, spec in REASONS.items() if spec.effect is Effect.DENY) - OF_NOBODY
"""The reasons that a document may name."""
MOST_DECISIONS = 5
"""Ids of decisions that an alert names."""
MANY = "*"
"""In place of an agent or a destination: of more of them than have alerts of their own."""


@dataclass(frozen=True, slots=True)
class AlertTerms:
    """What a document wants told: refusals for these reasons, at these places.

    Refusals of one agent, reason and destination within so many seconds are one alert.
    """

    reasons: frozenset[Reason]
    places: tuple[str, ...]
    within: Seconds


@dataclass(frozen=True, slots=True)
class AlertPlan:
    """Where one refusal is told, and within how many seconds others like it are part of the same alert."""

    places: tuple[str, ...]
    within: Seconds


@dataclass(frozen=True, slots=True)
class AlertRules:
    """The terms of a revision, by the scope of the document that has them; `shapes` are those of all scopes."""

    shapes: frozenset[ScopeShape]
    by_scope: Mapping[str, Sequence[AlertTerms]]

    @staticmethod
    def by(scopes: Mapping[str, Sequence[AlertTerms]]) -> AlertRules:
        """The terms of these scopes, each `org/tenant/agent` as written. Raises ValueError for other scopes."""
        return AlertRules(frozenset(map(scope_shape, scopes)), dict(scopes))

    def of(self, scope: Scope, reason: Reason) -> AlertPlan | None:
        """What every document that covers the agent wants told of such a refusal; None where none does.

        All places learn of it. Of several times the longest holds, so that no alert comes in parts.
        """
        names = covering(str(scope), self.shapes)
        terms = [entry for name in names for entry in self.by_scope.get(name, ()) if reason in entry.reasons]
        if not terms:
            return None
        places = sorted({place for entry in terms for place in entry.places})
        return AlertPlan(tuple(places), max(entry.within for entry in terms))


NO_ALERT_RULES = AlertRules.by({})


@dataclass(frozen=True, slots=True)
class Sighting:
    """One refusal of which somebody wants to learn.

    `destination` is the tool that was called, or the host and port of what is no tool.
    """

    scope: Scope
    reason: Reason
    destination: str
    time: Epoch
    decision_id: str
    plan: AlertPlan


@dataclass(frozen=True, slots=True)
class Alert:
    """Refusals of one agent, reason and destination: `count` of them, from `first` to `last`, seconds since the epoch.

    `agent` and `destination` are `MANY` where a tenant has more of them than have alerts of their own. `decisions` are
    the ids of the first few. `closed` is since when it is told and takes no more, None while it gathers.
    """

    id: str
    org: str
    tenant: str
    agent: str
    reason: Reason
    destination: str
    count: int
    first: Epoch
    last: Epoch
    decisions: tuple[str, ...]
    closed: Epoch | None

    @property
    def scope(self) -> str:
        """`org/tenant/agent`."""
        return f"{self.org}/{self.tenant}/{self.agent}"
