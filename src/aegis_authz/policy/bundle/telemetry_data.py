"""What spans may show, as plain JSON of a bundle, and back, strictly: a scope as written to `[parameters, trace]`."""

from __future__ import annotations

from collections.abc import Mapping

from aegis_authz.core.json_value import Json
from aegis_authz.core.telemetry_terms import CallerTrace, ParameterDisplay, TelemetryRules, TelemetryTerms
from aegis_authz.encoding.narrowing import items, mapping, text


def telemetry_to_data(scopes: Mapping[str, TelemetryTerms]) -> dict[str, Json]:
    """The terms as JSON values, by the scope of their documents."""
    return {scope: [scopes[scope].parameters.value, scopes[scope].trace.value] for scope in sorted(scopes)}


def telemetry_from_data(data: Json) -> TelemetryRules:
    """Read what `telemetry_to_data` wrote. Raises ValueError for anything else."""
    scopes = mapping(data, "telemetry")
    return TelemetryRules.by({scope: _terms(entry) for scope, entry in scopes.items()})


def _terms(data: Json) -> TelemetryTerms:
    words = [text(word, "a word of telemetry") for word in items(data, "telemetry")]
    if len(words) != 2:
        raise ValueError("telemetry is not two words")
    return TelemetryTerms(ParameterDisplay(words[0]), CallerTrace(words[1]))
