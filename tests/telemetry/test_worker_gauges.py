from __future__ import annotations

import os

from prometheus_client import CollectorRegistry

from aegis_authz.telemetry.worker_gauges import WorkerGauges, WorkerReadings


def test_a_worker_says_what_it_serves_and_what_it_waits_for() -> None:
    registry, served, controls = CollectorRegistry(), ["r1"], {"store": "", "bundle": ""}
    gauges = WorkerGauges(registry, WorkerReadings(lambda: served[-1], lambda: controls, lambda: (3, 64)))
    value = registry.get_sample_value
    gauges.look(0.25)
    loaded = value("aegis_bundle_loaded_timestamp_seconds")
    gauges.look(0.0)
    assert value("aegis_bundle_loaded_timestamp_seconds") == loaded
    served.append("r2")
    controls["store"] = "nobody answers"
    gauges.look(0.5)
    assert value("aegis_bundle_workers", {"revision": "r1"}) == 0
    assert value("aegis_bundle_workers", {"revision": "r2"}) == 1
    assert value("aegis_control_up", {"control": "store"}) == 0
    assert value("aegis_control_up", {"control": "bundle"}) == 1
    assert (value("aegis_checks_under_way"), value("aegis_checks_limit")) == (3, 64)
    assert value("aegis_loop_lag_seconds") == 0.5
    assert (value("aegis_resident_bytes") or 0) > 1_000_000
    assert (value("aegis_open_files") or 0) >= 3
    assert 0 < (value("aegis_cpu_seconds_total") or 0) <= sum(os.times()[:2]) + 1
