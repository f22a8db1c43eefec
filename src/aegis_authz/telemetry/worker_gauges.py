"""Prometheus metrics of a worker itself: what it serves, what it waits for, and how much of the machine it takes."""

from __future__ import annotations

import asyncio
import os
import resource
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge

from aegis_authz.telemetry.grouped import LabelBound

_PERIOD = 2.0
_MOST_REVISIONS = 200
_PAGE = resource.getpagesize()


@dataclass(frozen=True, slots=True)
class WorkerReadings:
    """Where the figures come from: the revision served ("" for none), the trouble of each control ("" for none), and
    how many checks are under way and may be.
    """

    revision: Callable[[], str]
    controls: Callable[[], Mapping[str, str]]
    load: Callable[[], tuple[int, int]]


class WorkerGauges:
    """Sums of all workers, or what is true of the worst one."""

    def __init__(self, registry: CollectorRegistry | None, readings: WorkerReadings) -> None:
        self._readings = readings

        def gauge(name: str, subject: str, mode: str, *labels: str) -> Gauge:
            return Gauge(name, subject, labels, registry=registry, multiprocess_mode=mode)  # type: ignore[arg-type]  # one of its words

        self._revision = gauge("aegis_bundle_workers", "Workers that serve this revision.", "livesum", "revision")
        self._loaded = gauge(
            "aegis_bundle_loaded_timestamp_seconds", "When the oldest revision that is served was loaded.", "livemin"
        )
        self._controls = gauge(
            "aegis_control_up", "Whether a control is well in every worker, such as the store.", "livemin", "control"
        )
        self._under_way = gauge("aegis_checks_under_way", "Checks under way.", "livesum")
        self._limit = gauge("aegis_checks_limit", "Checks that may be under way; beyond are refusals.", "livesum")
        self._lag = gauge("aegis_loop_lag_seconds", "How late the event loop of the latest worker is.", "livemax")
        self._memory = gauge("aegis_resident_bytes", "Memory of all workers.", "livesum")
        self._files = gauge("aegis_open_files", "Open files of all workers.", "livesum")
        self._workers = gauge("aegis_workers", "Workers that are alive.", "livesum")
        self._cpu = Counter("aegis_cpu_seconds", "CPU time of all workers.", registry=registry)
        self._bound = LabelBound(_MOST_REVISIONS)
        self._served, self._spent = "", 0.0

    def look(self, lag: float) -> None:
        """Take all figures; `lag` is how many seconds late this look is."""
        revision = self._readings.revision()
        if revision != self._served:
            if self._served:
                self._revision.labels(*self._bound.of((self._served,))).set(0)
            self._revision.labels(*self._bound.of((revision,))).set(1)
            self._loaded.set(time.time())
            self._served = revision
        for control, trouble in self._readings.controls().items():
            self._controls.labels(control).set(0 if trouble else 1)
        under_way, limit = self._readings.load()
        self._under_way.set(under_way)
        self._limit.set(limit)
        self._lag.set(lag)
        self._memory.set(int(Path("/proc/self/statm").read_text("ascii").split()[1]) * _PAGE)
        self._files.set(len(os.listdir("/proc/self/fd")))  # names alone, without a Path each
        self._workers.set(1)
        usage = resource.getrusage(resource.RUSAGE_SELF)
        spent = usage.ru_utime + usage.ru_stime
        self._cpu.inc(spent - self._spent)
        self._spent = spent

    async def watch(self) -> None:
        """Look every two seconds until cancelled."""
        due = time.monotonic()
        while True:
            self.look(max(0.0, time.monotonic() - due))
            due = time.monotonic() + _PERIOD
            await asyncio.sleep(_PERIOD)
