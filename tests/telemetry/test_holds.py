from __future__ import annotations

from prometheus_client import CollectorRegistry

from aegis_authz.core.units import Seconds
from aegis_authz.telemetry.holds import HoldMetrics


def test_open_holds_are_a_gauge_and_their_ends_are_counted() -> None:
    registry = CollectorRegistry()
    metrics = HoldMetrics(registry)
    metrics.hold_began()
    metrics.hold_began()
    metrics.hold_ended("settled", Seconds(3.0))
    metrics.hold_refused()
    value = registry.get_sample_value
    assert value("aegis_holds_open") == 1
    assert value("aegis_holds_total", {"end": "settled"}) == 1
    assert value("aegis_holds_total", {"end": "crowded"}) == 1
    assert (value("aegis_hold_seconds_sum"), value("aegis_hold_seconds_bucket", {"le": "2.0"})) == (3.0, 0)
