"""Values that are tallied in memory and written in groups, and labels that cannot become many.

A write to prometheus_client's shared files costs more than the whole tally of a decision.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from typing import Protocol

from prometheus_client import Histogram

LATENCY_BUCKETS = (0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.25)
WRITE_AFTER = 0.4
REST = "(other)"
"""In place of labels for which there is no room. No name of ours can be spelt so."""
_MOST_CHARACTERS = 128


class Later(Protocol):
    """`loop.call_later`: calls a function once, some seconds from now."""

    def __call__(self, delay: float, callback: Callable[[], None]) -> object:
        """Have `callback` called after `delay` seconds."""
        ...


class LabelBound:
    """At most `most` combinations of labels; of every later one each label is `REST`.

    What is counted stays right as a sum. Who comes first has labels of its own: tools and tenants are few, and who
    invents agents can fill a bound, but never the memory of Prometheus.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._labels: set[tuple[str, ...]] = set()

    def of(self, labels: tuple[str, ...]) -> tuple[str, ...]:
        """The labels as they may be used."""
        if labels in self._labels:
            return labels
        if len(self._labels) >= self._most or any(len(label) > _MOST_CHARACTERS for label in labels):
            return (REST,) * len(labels)
        self._labels.add(labels)
        return labels


class Observations:
    """How many values fell into each bucket, the one without bound included, and their sum."""

    __slots__ = ("counts", "total")

    def __init__(self) -> None:
        self.counts = [0] * (len(LATENCY_BUCKETS) + 1)
        self.total = 0.0

    def add(self, seconds: float) -> int:
        """Take one; returns its bucket."""
        bucket = bisect_left(LATENCY_BUCKETS, seconds)
        self.counts[bucket] += 1
        self.total += seconds
        return bucket


def observations_of(by_label: dict[str, Observations], label: str) -> Observations:
    """Those of one label."""
    observations = by_label.get(label)
    if observations is None:
        observations = by_label[label] = Observations()
    return observations


class GroupedHistogram(Histogram):
    """A Histogram that takes many observations at once, which prometheus_client has no public way for."""

    def observe_all(self, observations: Observations) -> None:
        """What `observe` for each would have done."""
        self._sum.inc(observations.total)
        for bucket, count in zip(self._buckets, observations.counts, strict=True):
            if count:
                bucket.inc(count)
