"""What metrics moved while a use case was played, and the panels of dashboards that show it."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

Series = tuple[str, tuple[tuple[str, str], ...]]
"""The name of a series, with its labels in order."""

_COUNTER = "_total"
_LIMITS = "aegis_limit_"
_OF_PROCESSES = frozenset({"aegis_cpu_seconds_total", "aegis_spans_total"})
"""What moves whether or not anybody calls."""
_SELECTOR = re.compile(r"\b(aegis_[a-z_]+)(?:\{([^}]*)\})?")
_MATCHER = re.compile(r'([a-z_]+)\s*(=~|!=|=)\s*"([^"]*)"')
_REFRESH = 0.75
"""Seconds after which all workers have written their figures anew (docs/metrics.md: half a second)."""


@dataclass(frozen=True, slots=True)
class Movement:
    """What became of a series: how far a counter (`_total`) went up, or where a gauge is now."""

    name: str
    labels: Mapping[str, str]
    before: float
    value: float

    @property
    def by(self) -> float:
        """How far it went."""
        return self.value - self.before

    def __str__(self) -> str:
        labels = ",".join(f'{label}="{value}"' for label, value in self.labels.items())
        change = f"+{self.by:g}" if self.name.endswith(_COUNTER) else f"= {self.value:g}"
        return f"{self.name}{f'{{{labels}}}' if labels else ''} {change}"


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel of a dashboard, with a query of it."""

    board: str
    title: str
    query: str


def series(text: str) -> dict[Series, float]:
    """The counters of calls and the gauges of limits in Prometheus' text format."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name.startswith("aegis_") and sample.name not in _OF_PROCESSES
        if sample.name.endswith(_COUNTER) or sample.name.startswith(_LIMITS)
    }


async def read_series(url: str) -> dict[Series, float]:
    """The series at this address, with all of the decisions that were made before. Raises httpx.HTTPError."""
    await asyncio.sleep(_REFRESH)
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(url)
        return series(answer.raise_for_status().text)


def movements(before: Mapping[Series, float], after: Mapping[Series, float]) -> list[Movement]:
    """What is not as it was, by name and labels."""
    return [
        Movement(name, dict(labels), before.get((name, labels), 0.0), value)
        for (name, labels), value in sorted(after.items())
        if value != before.get((name, labels), 0.0)
    ]


def panels(folder: Path) -> list[Panel]:
    """The panels of the dashboards in a folder. Raises OSError."""
    boards = [json.loads(path.read_text("utf-8")) for path in sorted(folder.glob("*.json"))]
    return [
        Panel(board["title"], panel["title"], target["expr"])
        for board in boards
        for panel in board["panels"]
        for target in panel["targets"]
    ]


def showing(listed: Collection[Panel], moved: Collection[Movement]) -> list[Panel]:
    """The panels with a query that selects something that moved."""
    return [panel for panel in listed if any(_selects(panel.query, movement) for movement in moved)]


def _selects(query: str, movement: Movement) -> bool:
    return any(
        name == movement.name and all(_fits(movement.labels, *matcher) for matcher in _MATCHER.findall(matchers))
        for name, matchers in _SELECTOR.findall(query)
    )


def _fits(labels: Mapping[str, str], label: str, operator: str, pattern: str) -> bool:
    value = labels.get(label, "")
    match operator:
        case "=":
            return value == pattern
        case "!=":
            return value != pattern
    return re.fullmatch(pattern, value) is not None
