from __future__ import annotations

from collections.abc import Sequence

import pytest
from prometheus_client import CollectorRegistry

from aegis_authz.core.money import Money
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import CostState, OutcomeRecord, Record, RedactionRecord, SettledCost, UsageRecord
from aegis_authz.core.refused import Refused
from aegis_authz.telemetry.record_metrics import RecordMetrics
from tests.support.made_records import DENIED


class Log:
    """A log that keeps what it is given, or refuses it."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self.is_full = False

    async def append(self, record: Record) -> None:
        if self.is_full:
            raise Refused(Reason.RECORD_FAILED, "no space left")
        self.records.append(record)

    async def append_all(self, records: Sequence[Record]) -> None:
        for record in records:
            await self.append(record)


async def test_what_is_recorded_is_counted_and_passed_on() -> None:
    registry, log = CollectorRegistry(), Log()
    metrics = RecordMetrics(log, registry, lambda delay, callback: None)
    await metrics.append(DENIED)
    await metrics.append(RedactionRecord("d-1", 1.0, "request", {"us_ssn": 2, "/patient/notes": 1, "/a": 3}, "done"))
    cost = SettledCost(Money(1_500_000, "USD"), CostState.MEASURED)
    await metrics.append(UsageRecord("d-1", 1.0, (100, 5, 0, 20), cost))
    metrics.write()
    assert len(log.records) == 3
    value = registry.get_sample_value
    assert value("aegis_redactions_total", {"detector": "us_ssn"}) == 2
    assert value("aegis_redactions_total", {"detector": "(field)"}) == 4
    assert value("aegis_model_tokens_total", {"kind": "output"}) == 20
    assert value("aegis_cost_settled_total", {"state": "measured", "currency": "USD"}) == 1.5
    assert value("aegis_record_seconds_count") == 3
    assert value("aegis_records_waiting") == 0


@pytest.mark.parametrize(
    ("status", "details", "counts"),
    [
        (200, "via_upstream", False),  # a usage record says what it cost in the end
        (503, "via_upstream", True),  # nobody looked for a usage
        (0, "downstream_remote_disconnect", True),
        (200, "agent_report", True),  # a function's, whose answer nobody saw
    ],
)
async def test_an_estimate_by_tokens_counts_where_no_usage_record_follows(
    status: int, details: str, counts: bool
) -> None:
    registry = CollectorRegistry()
    metrics = RecordMetrics(Log(), registry, lambda delay, callback: None)
    cost = SettledCost(Money(6_000_000, "USD"), CostState.ESTIMATED)
    await metrics.append(OutcomeRecord("d-1", 1.0, status, details, (), True, 1, 1, 1.0, 1.0, cost))
    metrics.write()
    value = registry.get_sample_value("aegis_cost_settled_total", {"state": "estimated", "currency": "USD"})
    assert value == (6.0 if counts else None)


async def test_a_call_of_a_language_model_counts_once() -> None:
    registry = CollectorRegistry()
    metrics = RecordMetrics(Log(), registry, lambda delay, callback: None)
    estimate = SettledCost(Money(6_000_000, "USD"), CostState.ESTIMATED)
    await metrics.append(OutcomeRecord("d-1", 1.0, 200, "via_upstream", (), True, 1, 1, 1.0, 1.0, estimate))
    await metrics.append(UsageRecord("d-1", 1.0, None, estimate))
    metrics.write()
    assert registry.get_sample_value("aegis_cost_settled_total", {"state": "estimated", "currency": "USD"}) == 6


async def test_a_record_that_cannot_be_kept_is_refused_as_before_and_counted() -> None:
    registry, log = CollectorRegistry(), Log()
    metrics = RecordMetrics(log, registry, lambda delay, callback: None)
    log.is_full = True
    with pytest.raises(Refused):
        await metrics.append(DENIED)
    metrics.write()
    assert registry.get_sample_value("aegis_record_failures_total") == 1
    assert registry.get_sample_value("aegis_record_seconds_count") == 0


async def test_records_that_are_written_together_are_each_counted() -> None:
    registry, log = CollectorRegistry(), Log()
    metrics = RecordMetrics(log, registry, lambda delay, callback: None)
    cost = SettledCost(Money(500_000, "USD"), CostState.KEPT)
    outcome = OutcomeRecord("d-1", 1.0, 200, "via_upstream", (), True, 1, 1, 1.0, 1.0, cost)
    await metrics.append_all([outcome, outcome, DENIED])
    log.is_full = True
    with pytest.raises(Refused):
        await metrics.append_all([outcome])
    metrics.write()
    value = registry.get_sample_value
    assert log.records == [outcome, outcome, DENIED]
    assert value("aegis_cost_settled_total", {"state": "kept", "currency": "USD"}) == 1.0
    assert value("aegis_record_seconds_count") == 3
    assert value("aegis_records_waiting") == 0
    assert value("aegis_record_failures_total") == 0, "each may be tried by itself yet"
