"""Prometheus metrics of the control plane: how people decide held calls, and what became of notices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge

_MOST_KEYS = 200
"""That have gauges of their own: labels must not grow with how many people and rules there are."""


class Counted(Protocol):
    """Figures of held calls that have `key` in common."""

    @property
    def key(self) -> str:
        """What they have in common."""
        ...

    @property
    def median_seconds(self) -> float | None:
        """Between question and verdict, None without any verdict."""
        ...


class NoticeMetrics:
    """Counts what became of notices, by the kind of channel."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._notices = Counter(
            "aegis_notices",
            "Notices of held calls and of refusals, by what became of them.",
            ["channel", "outcome"],
            registry=registry,
        )

    def __call__(self, channel: str, outcome: str) -> None:
        """Count one."""
        self._notices.labels(channel, outcome).inc()


class OversightMetrics:
    """Gauges of one moment, in a registry of their own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._calls = Gauge(
            "aegis_oversight_calls",
            "Held calls of the last day: asked, approved, denied, cancelled, expired, and hasty verdicts.",
            ["by", "key", "what"],
            registry=self.registry,
        )
        self._seconds = Gauge(
            "aegis_oversight_median_seconds",
            "Median seconds between question and verdict, of the last day.",
            ["by", "key"],
            registry=self.registry,
        )
        self._stamps = Gauge(
            "aegis_oversight_rubber_stamping",
            "The share of hasty approvals of who approves without reading, by the terms of the settings.",
            ["person"],
            registry=self.registry,
        )

    def show(self, by: str, rows: Sequence[Counted]) -> None:
        """The figures of one grouping, the most asked ones."""
        for row in rows[:_MOST_KEYS]:
            for what in ("asked", "approved", "denied", "cancelled", "expired", "hasty"):
                self._calls.labels(by, row.key, what).set(getattr(row, what))
            if row.median_seconds is not None:
                self._seconds.labels(by, row.key).set(row.median_seconds)

    def show_stamp(self, person: str, share: float) -> None:
        """Somebody who approves without reading."""
        self._stamps.labels(person).set(share)
