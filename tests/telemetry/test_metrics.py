from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram, generate_latest

from aegis_authz.core.effect import Effect
from aegis_authz.core.identity import Identity
from aegis_authz.core.reason import REASONS, Reason
from aegis_authz.core.record import ChargeRecord
from aegis_authz.core.units import DecisionId, Epoch
from aegis_authz.core.unrecorded_refusal import UnrecordedRefusal
from aegis_authz.telemetry.metrics import DecisionMetrics
from tests.support.made_records import AGENT, DENIED


class Timer:
    """`loop.call_later` that the test rings."""

    def __init__(self) -> None:
        self.set: list[Callable[[], None]] = []

    def __call__(self, delay: float, callback: Callable[[], None]) -> None:
        self.set.append(callback)


def test_decisions_are_counted_by_effect_and_reason() -> None:
    registry, timer = CollectorRegistry(), Timer()
    metrics = DecisionMetrics(registry, timer)
    metrics.count(DENIED, "")
    metrics.count(replace(DENIED, effect=Effect.ALLOW, reason=Reason.SHADOWED, would="deny"), "")
    timer.set[0]()
    text = generate_latest(registry).decode()
    assert 'aegis_decisions_total{effect="deny",reason="POLICY_DENIED"} 1.0' in text
    assert 'aegis_shadow_decisions_total{effect="deny"} 1.0' in text
    assert 'aegis_stage_seconds_count{stage="evaluate"} 2.0' in text


def test_a_group_is_written_once_and_the_next_asks_for_the_timer_again() -> None:
    registry, timer = CollectorRegistry(), Timer()
    metrics = DecisionMetrics(registry, timer)
    metrics.count(DENIED, "")
    metrics.count(DENIED, "")
    assert len(timer.set) == 1
    timer.set[0]()
    metrics.write()
    metrics.count(DENIED, "")
    assert len(timer.set) == 2
    metrics.write()
    assert 'reason="POLICY_DENIED"} 3.0' in generate_latest(registry).decode()


def exposed(tell: Callable[[DecisionMetrics], None]) -> list[str]:
    """What metrics say after they were told, but when each began."""
    registry = CollectorRegistry()
    metrics = DecisionMetrics(registry, Timer())
    tell(metrics)
    metrics.write()
    return [line for line in generate_latest(registry).decode().splitlines() if "_created" not in line]


@given(
    st.lists(
        st.tuples(
            st.sampled_from([Reason.OVERLOADED, Reason.CREDENTIAL_MISSING, Reason.TUNNEL_OPENED]),
            st.sampled_from([AGENT, None]),
            st.dictionaries(st.sampled_from(["decode", "authenticate"]), st.floats(0, 100)),
            st.floats(0, 1000),
        ),
        max_size=20,
    )
)
def test_a_refusal_without_a_record_counts_as_much_as_one_with_a_record(
    refusals: list[tuple[Reason, Identity | None, dict[str, float], float]],
) -> None:
    def tell_records(metrics: DecisionMetrics) -> None:
        for reason, identity, stages, took in refusals:
            plain = replace(DENIED, identity=identity, tool="", stages=stages, total_ms=took)
            metrics.count(replace(plain, reason=reason, effect=REASONS[reason].effect), "")

    def tell_refusals(metrics: DecisionMetrics) -> None:
        for reason, identity, stages, took in refusals:
            effect = REASONS[reason].effect
            metrics.count_refusal(
                UnrecordedRefusal(DecisionId("d"), Epoch(0.0), effect, reason, "", identity, stages, took)
            )

    assert exposed(tell_refusals) == exposed(tell_records)


def test_a_refusal_without_a_record_is_written_by_a_timer_too() -> None:
    registry, timer = CollectorRegistry(), Timer()
    metrics = DecisionMetrics(registry, timer)
    refusal = UnrecordedRefusal(
        DecisionId("d"), Epoch(0.0), Effect.DENY, Reason.OVERLOADED, "10.0.0.1", None, {}, total_ms=0.1
    )
    for _ in range(3):
        metrics.count_refusal(refusal)
    (write,) = timer.set
    write()
    assert 'aegis_decisions_total{effect="deny",reason="OVERLOADED"} 3.0' in generate_latest(registry).decode()


@given(st.lists(st.one_of(st.floats(0, 1000), st.sampled_from([1.0, 2.0, 5.0, 250.0])), max_size=50))
def test_a_grouped_histogram_is_what_single_observations_make(milliseconds: list[float]) -> None:
    grouped, single = CollectorRegistry(), CollectorRegistry()
    metrics = DecisionMetrics(grouped, Timer())
    bounds = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25)
    histogram = Histogram("aegis_decision_seconds", "", ["effect"], buckets=bounds, registry=single)
    for took in milliseconds:
        metrics.count(replace(DENIED, total_ms=took), "")
        histogram.labels("deny").observe(took / 1000)
    metrics.write()
    assert _buckets(grouped) == _buckets(single)


def _buckets(registry: CollectorRegistry) -> list[tuple[dict[str, str], float]]:
    return [
        (sample.labels, sample.value)
        for family in registry.collect()
        for sample in family.samples
        if sample.name in ("aegis_decision_seconds_bucket", "aegis_decision_seconds_count")
    ]


def test_limits_are_counted_and_their_use_is_shown() -> None:
    registry = CollectorRegistry()
    metrics = DecisionMetrics(registry, lambda delay, callback: None)
    limits = ChargeRecord(
        "l1", "spend", "acme/emea/*", "acme/emea", "budget", "USD", 5, 80, 20, 100, 0, "within", "deny"
    )
    metrics.count(replace(DENIED, effect=Effect.ALLOW, reason=Reason.ALLOWED, charges=(limits,)), "")
    metrics.count(replace(DENIED, charges=(limits._replace(used=99, left=1, excess="over"),)), "")
    metrics.write()
    text = generate_latest(registry).decode()
    assert 'aegis_limit_charges_total{excess="within",kind="budget"} 1.0' in text
    assert 'aegis_limit_charges_total{excess="over",kind="budget"} 1.0' in text
    assert 'aegis_limits_reached_total{kind="budget",percent="80"} 1.0' in text
    assert 'aegis_limit_used_ratio{limit="spend",policy="acme/emea/*"} 0.99' in text


@pytest.mark.parametrize(
    ("kind", "currency", "unit", "used", "left"),
    [
        ("budget", "USD", "USD", 12_500_000, 7_500_000),
        ("count", "", "calls", 12, 8),
        ("rate", "", "calls", 1, 2),
        ("concurrency", "", "calls", 1, 2),
        ("distinct", "", "values", 2, 1),
    ],
)
def test_what_is_used_and_left_of_a_limit_has_a_gauge_in_its_unit(
    kind: str, currency: str, unit: str, used: int, left: int
) -> None:
    registry = CollectorRegistry()
    metrics = DecisionMetrics(registry, lambda delay, callback: None)
    charge = ChargeRecord("l", "x", "p", "h", kind, currency, 1, used, left, used + left, 0, "within", "deny")
    metrics.count(replace(DENIED, charges=(charge._replace(used=0, left=0), charge)), "")
    metrics.write()
    labels, size = {"policy": "p", "limit": "x", "unit": unit}, 1_000_000 if currency else 1
    assert registry.get_sample_value("aegis_limit_used", labels) == used / size
    assert registry.get_sample_value("aegis_limit_left", labels) == left / size


def test_no_more_limits_have_a_gauge_than_labels_may_be() -> None:
    registry = CollectorRegistry()
    metrics = DecisionMetrics(registry, lambda delay, callback: None)
    charge = ChargeRecord("l", "x", "p", "h", "count", "", 1, 1, 1, 2, 0, "within", "deny")
    for number in range(600):
        metrics.count(replace(DENIED, charges=(charge._replace(name=f"limit {number}"),)), "")
        metrics.write()
    for name in ("aegis_limit_used", "aegis_limit_left", "aegis_limit_used_ratio"):
        (family,) = (family for family in registry.collect() if family.name == name)
        assert len(family.samples) == 500


@pytest.mark.parametrize(
    ("used", "amount", "percent"), [(79, 5, 0), (80, 1, 80), (85, 1, 0), (100, 1, 100), (120, 50, 100), (120, 1, 0)]
)
def test_a_limit_is_reached_by_the_call_that_passes_the_mark(used: int, amount: int, percent: int) -> None:
    charge = ChargeRecord("l", "n", "p", "h", "count", "", amount, used, 0, 100, 0, "within", "deny")
    assert charge.reached == percent
