"""What spans may show of an agent's calls, and whether they continue the trace that the agent names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import Enum

from aegis_authz.core.scope import Scope
from aegis_authz.core.scope_shape import ScopeShape, covering, scope_shape


class ParameterDisplay(Enum):
    """How a span shows the parameters of a call, strictest first. Those of a redacted call are never shown.

    NAMES are those of the catalogue. HASHED: a keyed digest of each value, equal for equal values.
    """

    NONE = "none"
    NAMES = "names"
    HASHED = "hashed"
    CLEAR = "clear"


class CallerTrace(Enum):
    """What becomes of the trace that a caller names, strictest first: the span links to it, or continues it."""

    LINK = "link"
    CONTINUE = "continue"


@dataclass(frozen=True, slots=True)
class TelemetryTerms:
    """What a document allows spans to show of the calls of its agents."""

    parameters: ParameterDisplay
    trace: CallerTrace

    @staticmethod
    def strictest(terms: Iterable[TelemetryTerms]) -> TelemetryTerms:
        """What all of them allow; `UNSAID` where there are none."""
        listed = list(terms)
        if not listed:
            return UNSAID
        return TelemetryTerms(
            min((entry.parameters for entry in listed), key=_DISPLAYS.index),
            min((entry.trace for entry in listed), key=_TRACES.index),
        )


_DISPLAYS, _TRACES = tuple(ParameterDisplay), tuple(CallerTrace)

UNSAID = TelemetryTerms(ParameterDisplay.NAMES, CallerTrace.CONTINUE)
"""Where no document says anything. A name comes from the catalogue, so it tells nothing that an agent wrote."""
OF_NOBODY = TelemetryTerms(ParameterDisplay.NONE, CallerTrace.LINK)
"""For calls of nobody known: whoever has no identity chooses no trace of ours."""


@dataclass(frozen=True, slots=True)
class TelemetryRules:
    """The terms of a revision, by the scope of the document that has them; `shapes` are those of all scopes."""

    shapes: frozenset[ScopeShape]
    by_scope: Mapping[str, TelemetryTerms]

    @staticmethod
    def by(scopes: Mapping[str, TelemetryTerms]) -> TelemetryRules:
        """The terms of these scopes, each `org/tenant/agent` as written. Raises ValueError for other scopes."""
        return TelemetryRules(frozenset(map(scope_shape, scopes)), dict(scopes))

    def of(self, scope: Scope) -> TelemetryTerms:
        """What every document that covers the agent allows."""
        if not self.shapes:
            return UNSAID
        names = covering(str(scope), self.shapes)
        return TelemetryTerms.strictest(self.by_scope[name] for name in names if name in self.by_scope)


NO_TELEMETRY_RULES = TelemetryRules.by({})
