"""Exemplars: for each bucket of a histogram a trace that fell into it, so that a picture leads to a call.

prometheus_client has none where several processes share their files, so they are put beside what it collects: those of
the worker that answers the scrape.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Protocol

from prometheus_client import Metric
from prometheus_client.core import Exemplar
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from aegis_authz.telemetry.grouped import LATENCY_BUCKETS

_BUCKETS = {bound: bucket for bucket, bound in enumerate((*map(floatToGoString, LATENCY_BUCKETS), "+Inf"))}
"""The places of the buckets, by their bounds as samples have them."""


class Source(Protocol):
    """Whatever collects metrics."""

    def collect(self) -> Iterable[Metric]:
        """All of them, as they are now."""
        ...


class Exemplars:
    """The newest trace of each bucket of each label."""

    def __init__(self) -> None:
        self._newest: dict[tuple[str, str, int], tuple[str, float, float]] = {}

    def note(self, histogram: str, label: str, bucket: int, trace_id: str, seconds: float, time: float) -> None:
        """Remember one value of a histogram that has one label."""
        self._newest[histogram, label, bucket] = (trace_id, seconds, time)

    def attached(self, source: Source) -> Iterator[Metric]:
        """What `source` collects, with an exemplar at each bucket that has one."""
        for family in source.collect():
            if family.type == "histogram":
                family.samples = [self._attached(family.name, sample) for sample in family.samples]
            yield family

    def _attached(self, histogram: str, sample: Sample) -> Sample:
        bucket = _BUCKETS.get(sample.labels.get("le", ""))
        if bucket is None:
            return sample
        label = next((value for name, value in sample.labels.items() if name != "le"), "")
        newest = self._newest.get((histogram, label, bucket))
        if newest is None:
            return sample
        trace_id, seconds, time = newest
        return sample._replace(exemplar=Exemplar({"trace_id": trace_id}, seconds, time))


class SharedMetrics:
    """A collector of what all workers wrote, with the exemplars of this one."""

    def __init__(self, workers: Source, exemplars: Exemplars) -> None:
        self._workers, self._exemplars = workers, exemplars

    def collect(self) -> Iterable[Metric]:
        """All metrics, as they are now."""
        return self._exemplars.attached(self._workers)
