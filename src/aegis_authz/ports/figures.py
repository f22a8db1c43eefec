"""What Prometheus keeps, as dashboards ask for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from aegis_authz.core.units import Epoch, Seconds

METRIC = "__name__"
"""The label in which Prometheus tells the name of a metric."""


class FiguresFault(Exception):
    """Prometheus cannot be asked, or did not answer as it should; the message says which, and holds no secret."""


@dataclass(frozen=True, slots=True)
class Point:
    """A value at a moment."""

    time: Epoch
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """A series of an answer: its labels, and its points in the order of time, at least one; no value is NaN."""

    labels: Mapping[str, str]
    points: tuple[Point, ...]

    @property
    def last(self) -> float:
        """The newest value."""
        return self.points[-1].value


class Figures(Protocol):
    """Answers expressions of PromQL."""

    async def at(self, expression: str, moment: Epoch) -> Sequence[Series]:
        """The series of this moment, each with a point. Raises FiguresFault."""
        ...

    async def over(self, expression: str, start: Epoch, end: Epoch, step: Seconds) -> Sequence[Series]:
        """The series from `start` to `end`, a point each `step`. Raises FiguresFault."""
        ...
