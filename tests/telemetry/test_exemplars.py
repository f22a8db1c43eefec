from __future__ import annotations

import re
from dataclasses import replace

from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest

from aegis_authz.telemetry.exemplars import SharedMetrics
from aegis_authz.telemetry.metrics import DecisionMetrics
from tests.support.made_records import DENIED

TRACE = "0af7651916cd43dd8448eb211c80319c"


def test_a_bucket_leads_to_the_newest_trace_that_fell_into_it() -> None:
    registry, shown = CollectorRegistry(), CollectorRegistry()
    metrics = DecisionMetrics(registry, lambda delay, callback: None)
    metrics.count(replace(DENIED, total_ms=4.0), "f" * 32)
    metrics.count(replace(DENIED, total_ms=4.5), TRACE)
    metrics.count(replace(DENIED, total_ms=900.0), "")
    metrics.write()
    shown.register(SharedMetrics(registry, metrics.exemplars))
    text = generate_latest(shown).decode()
    line = re.search(r'aegis_decision_seconds_bucket\{effect="deny",le="0\.005"\} (.*)', text)
    assert line is not None
    assert line[1] == f'2.0 # {{trace_id="{TRACE}"}} 0.0045 1800000000.0'
    assert f'aegis_stage_seconds_bucket{{le="0.002",stage="evaluate"}} 3.0 # {{trace_id="{TRACE}"}}' in text
    assert not re.search(r'le="\+Inf"\} \S+ #', text)
