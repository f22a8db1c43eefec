"""What spans may show of calls, as documents say it."""

from __future__ import annotations

from collections.abc import Sequence

from aegis_authz.core.telemetry_terms import CallerTrace, ParameterDisplay, TelemetryTerms
from aegis_authz.policy.compile.rules import CompiledDocument


def telemetry_of(policies: Sequence[CompiledDocument]) -> dict[str, TelemetryTerms]:
    """The terms of all documents that have some, by scope: the strictest of one scope, shadow documents included."""
    scopes: dict[str, list[TelemetryTerms]] = {}
    for document in (policy.document for policy in policies):
        if document.telemetry is not None:
            words = document.telemetry
            terms = TelemetryTerms(ParameterDisplay(words.parameters), CallerTrace(words.trace))
            scopes.setdefault(document.scope, []).append(terms)
    return {scope: TelemetryTerms.strictest(terms) for scope, terms in scopes.items()}
