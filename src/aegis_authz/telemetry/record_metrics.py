"""Prometheus metrics of records: how long they take to be durable, and what those of redactions and costs count."""

from __future__ import annotations

import time
from collections import Counter as Tally
from collections.abc import Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

from aegis_authz.core.money import MICRO
from aegis_authz.core.record import OutcomeRecord, Record, RedactionRecord, SettledCost, UsageRecord
from aegis_authz.core.refused import Refused
from aegis_authz.telemetry.grouped import (
    LATENCY_BUCKETS,
    WRITE_AFTER,
    GroupedHistogram,
    LabelBound,
    Later,
    Observations,
)

_FIELD = "(field)"
"""In place of a JSON pointer: which fields a policy names is no label."""
_MOST_DETECTORS = 100
_KINDS = ("input", "cached", "cache_write", "output")


class Log(Protocol):
    """`ports.RecordLog`."""

    async def append(self, record: Record) -> None:
        """Return once the record is durable. Raises Refused(RECORD_FAILED)."""
        ...

    async def append_all(self, records: Sequence[Record]) -> None:
        """Return once all are durable. Raises Refused(RECORD_FAILED): none is kept then."""
        ...


class RecordMetrics:
    """`ports.RecordLog` in front of another: measures it, and counts what is recorded."""

    def __init__(self, log: Log, registry: CollectorRegistry | None, later: Later) -> None:
        self._log, self._later, self._is_due = log, later, False
        self._seconds = GroupedHistogram(
            "aegis_record_seconds", "Time until a record is durable.", buckets=LATENCY_BUCKETS, registry=registry
        )
        self._waiting = Gauge(
            "aegis_records_waiting", "Records that are not durable yet.", registry=registry, multiprocess_mode="livesum"
        )
        self._failures = Counter("aegis_record_failures", "Records that could not be kept.", registry=registry)
        self._redactions = Counter(
            "aegis_redactions", "What was redacted, by detector.", ["detector"], registry=registry
        )
        self._tokens = Counter(
            "aegis_model_tokens", "Tokens of language models, as their answers said.", ["kind"], registry=registry
        )
        self._costs = Counter(
            "aegis_cost_settled",
            "What calls cost in the end, in units of the currency, by how that came about.",
            ["state", "currency"],
            registry=registry,
        )
        self._detectors = LabelBound(_MOST_DETECTORS)
        self._under_way = 0
        self._took, self._tallies = Observations(), Tally[tuple[Counter, tuple[str, ...]]]()
        self._micros = Tally[tuple[str, str]]()

    async def append(self, record: Record) -> None:
        """Return once the record is durable. Raises Refused(RECORD_FAILED)."""
        began = self._begin(1)
        try:
            await self._log.append(record)
        except Refused:
            self._tallies[self._failures, ()] += 1
            raise
        finally:
            self._under_way -= 1
        self._count(record, time.monotonic() - began)

    async def append_all(self, records: Sequence[Record]) -> None:
        """Return once all are durable.

        Raises Refused(RECORD_FAILED): none is kept then, and none counted as a failure: each may be tried by itself.
        """
        began = self._begin(len(records))
        try:
            await self._log.append_all(records)
        finally:
            self._under_way -= len(records)
        took = time.monotonic() - began
        for record in records:
            self._count(record, took)

    def _begin(self, more: int) -> float:
        self._under_way += more
        if not self._is_due:
            self._is_due = True
            self._later(WRITE_AFTER, self.write)
        return time.monotonic()

    def _count(self, record: Record, took: float) -> None:
        self._took.add(took)
        if isinstance(record, RedactionRecord):
            for name, count in record.counts.items():
                label = _FIELD if name.startswith("/") else self._detectors.of((name,))[0]
                self._tallies[self._redactions, (label,)] += count
        elif isinstance(record, UsageRecord):
            self._count_cost(record.cost)
            for kind, count in zip(_KINDS, record.tokens or (), strict=False):
                self._tallies[self._tokens, (kind,)] += count
        elif isinstance(record, OutcomeRecord) and record.cost is not None and not record.is_superseded:
            self._count_cost(record.cost)

    def write(self) -> None:
        """Bring everything tallied into the registry."""
        self._is_due = False
        self._waiting.set(self._under_way)
        self._seconds.observe_all(self._took)
        for (counter, labels), count in self._tallies.items():
            (counter.labels(*labels) if labels else counter).inc(count)
        for labels, micros in self._micros.items():
            self._costs.labels(*labels).inc(micros / MICRO)
        self._took = Observations()
        self._tallies.clear()
        self._micros.clear()

    def _count_cost(self, cost: SettledCost) -> None:
        self._micros[cost.state.value, cost.money.currency] += cost.money.micros
