from __future__ import annotations

import time
from dataclasses import replace

from prometheus_client import CollectorRegistry

from aegis_authz.core.effect import Effect
from aegis_authz.core.money import Money
from aegis_authz.core.reason import Reason
from aegis_authz.telemetry.call_metrics import MOST_CALLS, MOST_SPENDERS, CallMetrics
from aegis_authz.telemetry.grouped import REST
from tests.support.made_records import DENIED, named

PAID = replace(DENIED, effect=Effect.ALLOW, reason=Reason.ALLOWED, cost=Money(2_500_000, "EUR"))


def samples(registry: CollectorRegistry, family: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(sample.labels.values()): sample.value
        for metric in registry.collect()
        if metric.name == family
        for sample in metric.samples
        if sample.name == f"{family}_total"
    }


def test_calls_and_their_estimated_costs_are_counted_by_tenant_and_tool() -> None:
    registry = CollectorRegistry()
    metrics = CallMetrics(registry)
    for record in (PAID, PAID, replace(PAID, effect=Effect.DENY, reason=Reason.BUDGET_EXCEEDED)):
        metrics.count(record)
    metrics.write()
    metrics.write()
    assert samples(registry, "aegis_calls") == {
        ("allow", "acme/emea", "stripe-payments"): 2,
        ("deny", "acme/emea", "stripe-payments"): 1,
    }
    assert samples(registry, "aegis_cost_estimated") == {("acme/emea", "finance-agent", "stripe-payments", "EUR"): 5.0}
    assert samples(registry, "aegis_credentials") == {("token",): 3}


def test_faults_of_parts_are_counted_from_zero_on() -> None:
    registry = CollectorRegistry()
    metrics = CallMetrics(registry)
    metrics.count(replace(DENIED, reason=Reason.STORE_TIMEOUT))
    metrics.write()
    faults = samples(registry, "aegis_faults")
    assert faults[("redis",)] == 1
    assert faults[("opa",)] == 0


def test_a_quarantine_is_counted_once_and_not_with_each_call_that_it_refuses() -> None:
    registry = CollectorRegistry()
    metrics = CallMetrics(registry)
    metrics.count(replace(DENIED, quarantined_until=1_800_000_900.0))
    metrics.count(replace(DENIED, reason=Reason.QUARANTINED, quarantined_until=1_800_000_900.0))
    metrics.write()
    assert samples(registry, "aegis_quarantines") == {(): 1}


def test_a_hundred_thousand_agents_and_ten_thousand_tools_make_no_more_series_than_the_bounds() -> None:
    registry = CollectorRegistry()
    metrics = CallMetrics(registry)
    records = [
        replace(PAID, identity=named(f"agent-{number}"), tool=f"tool-{number % 10_000}") for number in range(100_000)
    ]
    began = time.process_time()
    for record in records:
        metrics.count(record)
    metrics.write()
    assert time.process_time() - began < 20
    calls, costs = samples(registry, "aegis_calls"), samples(registry, "aegis_cost_estimated")
    assert len(calls) == MOST_CALLS + 1
    assert len(costs) == MOST_SPENDERS + 1
    assert sum(calls.values()) == 100_000
    assert round(sum(costs.values()), 6) == 250_000
    assert calls[(REST,) * 3] == 80_000
