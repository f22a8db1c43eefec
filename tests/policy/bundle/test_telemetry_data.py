from __future__ import annotations

import pytest

from aegis_authz.core.json_value import Json
from aegis_authz.core.telemetry_terms import CallerTrace, ParameterDisplay, TelemetryRules, TelemetryTerms
from aegis_authz.policy.bundle.telemetry_data import telemetry_from_data, telemetry_to_data

EVERY = {
    f"acme/emea/{display.value}-{trace.value}": TelemetryTerms(display, trace)
    for display in ParameterDisplay
    for trace in CallerTrace
}


def test_what_is_written_is_read_again() -> None:
    assert telemetry_from_data(telemetry_to_data(EVERY)) == TelemetryRules.by(EVERY)


@pytest.mark.parametrize(
    "data",
    [
        *(None, [], {"acme": ["none", "link"]}, {"a/b/c": "none"}, {"a/b/c": ["none"]}, {"a/b/c": ["none", "follow"]}),
        *({"a/b/c": ["all", "link"]}, {"a/b/c": ["none", "link", "x"]}, {"a/b/c": [None, "link"]}),
    ],
)
def test_every_surprise_is_refused(data: Json) -> None:
    with pytest.raises(ValueError):  # its words are those of the readers
        telemetry_from_data(data)
