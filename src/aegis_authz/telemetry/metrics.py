"""Prometheus metrics of decisions, tallied in memory and written in groups.

A write to prometheus_client's shared files costs more than the whole tally of a decision, and a decision makes
thirteen of them. What is tallied is written `WRITE_AFTER` seconds later at most.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge

from aegis_authz.core.money import MICRO
from aegis_authz.core.record import ChargeRecord, DecisionRecord
from aegis_authz.core.unrecorded_refusal import UnrecordedRefusal
from aegis_authz.telemetry.call_metrics import CallMetrics
from aegis_authz.telemetry.exemplars import Exemplars
from aegis_authz.telemetry.grouped import (
    LATENCY_BUCKETS,
    WRITE_AFTER,
    GroupedHistogram,
    Later,
    Observations,
    observations_of,
)

_DECISION_SECONDS, _STAGE_SECONDS = "aegis_decision_seconds", "aegis_stage_seconds"
_MOST_LIMITS = 500  # that have a gauge of their own: labels must not grow with what policies name


_OF_LIMIT = ("policy", "limit")
_UNITS = {"distinct": "values"}  # of limits without a currency that are not of calls


class DecisionMetrics:
    """Counts decisions. What it tallied reaches `registry` when `later` calls back, or with `write`."""

    def __init__(self, registry: CollectorRegistry | None, later: Later) -> None:
        self._later = later
        self._is_due = False
        self.exemplars = Exemplars()
        self._calls = CallMetrics(registry)
        self._decisions = Counter("aegis_decisions", "Decisions made.", ["effect", "reason"], registry=registry)
        self._would = Counter(
            "aegis_shadow_decisions", "What shadow policies would have done.", ["effect"], registry=registry
        )
        self._charges = Counter(
            "aegis_limit_charges", "Charges of calls, by how their limit stood.", ["kind", "excess"], registry=registry
        )
        self._reached = Counter(
            "aegis_limits_reached", "Limits used up to this percentage.", ["kind", "percent"], registry=registry
        )
        self._share = _newest("aegis_limit_used_ratio", "The share of a limit that was used", _OF_LIMIT, registry)
        self._used = _newest("aegis_limit_used", "What was used of a limit", (*_OF_LIMIT, "unit"), registry)
        self._left = _newest("aegis_limit_left", "What was left of a limit", (*_OF_LIMIT, "unit"), registry)
        self._seconds = GroupedHistogram(
            _DECISION_SECONDS,
            "Time from arrival to record.",
            ["effect"],
            buckets=LATENCY_BUCKETS,
            registry=registry,
        )
        self._stages = GroupedHistogram(
            _STAGE_SECONDS, "Time of one stage.", ["stage"], buckets=LATENCY_BUCKETS, registry=registry
        )
        self._decided: Tally[tuple[str, str]] = Tally()
        self._shadowed: Tally[str] = Tally()
        self._charged: Tally[tuple[str, str]] = Tally()
        self._percentages: Tally[tuple[str, str]] = Tally()
        self._balances: dict[tuple[str, str], ChargeRecord] = {}
        self._limits: set[tuple[str, str]] = set()
        self._took: dict[str, Observations] = {}
        self._stage_took: dict[str, Observations] = {}

    def count(self, record: DecisionRecord, trace_id: str) -> None:
        """Tally one decision. `trace_id` is that of its spans, "" for one that has none."""
        effect, took = record.effect.value, record.total_ms / 1000
        self._decided[effect, record.reason.value] += 1
        bucket = observations_of(self._took, effect).add(took)
        if trace_id:
            self.exemplars.note(_DECISION_SECONDS, effect, bucket, trace_id, took, record.time)
        for stage, milliseconds in record.stages.items():
            seconds = milliseconds / 1000
            bucket = observations_of(self._stage_took, stage).add(seconds)
            if trace_id:
                self.exemplars.note(_STAGE_SECONDS, stage, bucket, trace_id, seconds, record.time)
        self._calls.count(record)
        if record.would:
            self._shadowed[record.would] += 1
        for charge in record.charges:
            self._count_charge(charge, passes=record.effect.lets_through)
        self._write_later()

    def count_refusal(self, refusal: UnrecordedRefusal) -> None:
        """Tally a refusal that has neither record nor spans, as `count` would have, but for exemplars."""
        effect = refusal.effect.value
        self._decided[effect, refusal.reason.value] += 1
        observations_of(self._took, effect).add(refusal.total_ms / 1000)
        for stage, milliseconds in refusal.stages.items():
            observations_of(self._stage_took, stage).add(milliseconds / 1000)
        self._calls.count_refusal(refusal)
        self._write_later()

    def _write_later(self) -> None:
        if not self._is_due:
            self._is_due = True
            self._later(WRITE_AFTER, self.write)

    def _count_charge(self, charge: ChargeRecord, *, passes: bool) -> None:
        self._charged[charge.kind, charge.excess] += 1
        reached = charge.reached if passes else 0
        if reached:
            self._percentages[charge.kind, str(reached)] += 1
        labels = (charge.policy, charge.name)
        if not charge.of:
            return
        if labels not in self._limits:
            if len(self._limits) >= _MOST_LIMITS:
                return
            self._limits.add(labels)
        self._balances[labels] = charge

    def write(self) -> None:
        """Bring everything tallied into the registry."""
        self._is_due = False
        self._calls.write()
        for labels, count in self._decided.items():
            self._decisions.labels(*labels).inc(count)
        for effect, count in self._shadowed.items():
            self._would.labels(effect).inc(count)
        for labels, count in self._charged.items():
            self._charges.labels(*labels).inc(count)
        for labels, count in self._percentages.items():
            self._reached.labels(*labels).inc(count)
        for labels, charge in self._balances.items():
            unit, size = charge.currency or _UNITS.get(charge.kind, "calls"), MICRO if charge.currency else 1
            self._share.labels(*labels).set(charge.used / charge.of)
            self._used.labels(*labels, unit).set(charge.used / size)
            self._left.labels(*labels, unit).set(charge.left / size)
        for effect, observations in self._took.items():
            self._seconds.labels(effect).observe_all(observations)
        for stage, observations in self._stage_took.items():
            self._stages.labels(stage).observe_all(observations)
        for tally in (
            *(self._decided, self._shadowed, self._took, self._stage_took),
            *(self._charged, self._percentages, self._balances),
        ):
            tally.clear()


def _newest(name: str, subject: str, labels: Sequence[str], registry: CollectorRegistry | None) -> Gauge:
    """A gauge of limits, which holds what is true of the newest call; budgets are in units of their currency."""
    description = f"{subject} after the last call that met it, whoever's account it was."
    return Gauge(name, description, labels, registry=registry, multiprocess_mode="mostrecent")
