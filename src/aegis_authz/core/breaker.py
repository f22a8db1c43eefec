"""The circuit breaker: an agent that is refused too often is quarantined for a while."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.core.reason import Reason
from aegis_authz.core.scope import Scope
from aegis_authz.core.scope_shape import ScopeShape, covering, scope_shape
from aegis_authz.core.units import Epoch, LimitId, Millis


@dataclass(frozen=True, slots=True)
class Breaker:
    """When an agent is quarantined, and for how long.

    `refusals` is how many refusals within `within` milliseconds are too many, and `forbidden_domain` how many calls to
    hosts that the agent may not reach; each is None where it is not counted.
    """

    id: LimitId
    policy: str
    refusals: int | None
    forbidden_domain: int | None
    within: Millis
    quarantine: Millis


@dataclass(frozen=True, slots=True)
class Breakers:
    """The breakers of a revision, by the scope of the document that has them; `shapes` are those of all scopes."""

    shapes: frozenset[ScopeShape]
    by_scope: Mapping[str, tuple[Breaker, ...]]

    @staticmethod
    def by(scopes: Mapping[str, tuple[Breaker, ...]]) -> Breakers:
        """The breakers of these scopes, each `org/tenant/agent` as written. Raises ValueError for other scopes."""
        return Breakers(frozenset(map(scope_shape, scopes)), dict(scopes))

    def of(self, scope: Scope) -> tuple[Breaker, ...]:
        """Those that watch an agent."""
        if not self.shapes:
            return ()
        names = covering(str(scope), self.shapes)
        return tuple(breaker for name in names for breaker in self.by_scope.get(name, ()))


@dataclass(frozen=True, slots=True)
class Quarantine:
    """An agent whose calls are refused from `since` to `until`. `by` is a person, or the id of the breaker."""

    scope: Scope
    since: Epoch
    until: Epoch
    by: str


@dataclass(frozen=True, slots=True)
class Tally:
    """A refusal that breakers count. `is_forbidden_domain`: of a call to a host that the agent may not reach."""

    breakers: tuple[Breaker, ...]
    is_forbidden_domain: bool


NO_BREAKERS = Breakers.by({})

FORBIDDEN_DOMAINS = frozenset({Reason.EGRESS_DENIED})
"""Refusals of a call to a host that the agent may not reach."""

COUNTED_REFUSALS = FORBIDDEN_DOMAINS | {
    Reason.POLICY_ABSENT,
    Reason.POLICY_DENIED,
    Reason.PARAMETER_UNKNOWN,
    Reason.PARAMETER_MISSING,
    Reason.PARAMETER_TYPE,
    Reason.MALFORMED_CALL,
    Reason.DUPLICATE_KEY,
    Reason.HEADER_MISMATCH,
    Reason.SESSION_INVALID,
    Reason.ACTION_UNKNOWN,
    Reason.SUBJECT_MISMATCH,
    Reason.TOOL_UNKNOWN,
    Reason.APPROVAL_INVALID,
}
"""The refusals that an agent brings upon itself by what it calls.

Not our own faults; not a replay, by which whoever saw a token could lock its agent out; and not a limit, which holds by
itself and says when to come back.
"""
