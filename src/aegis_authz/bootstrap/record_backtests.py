"""Recorded calls as the control plane decides them again: the newest of its records, on servers of their own."""

from __future__ import annotations

import asyncio
import heapq
import math
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from aegis_authz.adapters.records.files import LogFiles, NoRecords, log_files
from aegis_authz.bootstrap.lab_bench import lab_bench
from aegis_authz.bootstrap.lab_fold import lab_fold
from aegis_authz.bootstrap.policy_trials import on_servers
from aegis_authz.config.publishing import BacktestSettings
from aegis_authz.control.policies.backtests import Verdict
from aegis_authz.control.policies.trials import TrialsFault
from aegis_authz.core.units import Seconds
from aegis_authz.evidence.log_report import LogLine
from aegis_authz.evidence.query import whole_records
from aegis_authz.lab.backtest import Backtest, BacktestReport
from aegis_authz.lab.milder_calls import (
    first_in_words,
    milder_calls,
    milder_than_served,
    rest_in_words,
    unjudged_count,
)
from aegis_authz.policy.load import Loaded
from aegis_authz.ports.data_plane import Clock

_BATCH = 2000
_MOST_BYTES = 128 * 1024 * 1024
"""How large the records of one trial may be together: one agent's calls can have a megabyte of parameters each."""
_LONGEST_CALL = 3600.0
"""A call is recorded as it ends: so much later than its time, at most, it stands in its log."""


class RecordBacktests:
    """`control.policies.backtests.Backtests` on the records of a folder."""

    def __init__(self, records: Path, settings: BacktestSettings, clock: Clock) -> None:
        self._records = records
        self._settings = settings
        self._clock = clock

    async def verdict(self, loaded: Loaded, served: Loaded | None) -> Verdict:
        """What the newest records come to (see the port)."""
        return await asyncio.to_thread(self._verdict, loaded, served)

    def _verdict(self, loaded: Loaded, served: Loaded | None) -> Verdict:
        end = self._clock.monotonic() + self._settings.seconds
        since = self._clock.now() - self._settings.window
        with on_servers():
            try:
                lines = recent_lines(self._records, since, self._settings.most)
            except NoRecords:
                lines = []
            report = self._report(loaded, lines, since, end)
            flips, unjudged = milder_calls(report), 0
            if served is not None and (flips or report.unjudged):
                former = self._report(served, lines, since, end)
                flips, unjudged = milder_than_served(report, former), unjudged_count(report, former)
        first = first_in_words(flips) if flips else ""
        return Verdict(report.judged, len(flips), unjudged, first, rest_in_words(report))

    def _report(self, loaded: Loaded, lines: Sequence[LogLine], since: float, end: float) -> BacktestReport:
        patience = Seconds(max(0.001, end - self._clock.monotonic()))
        records = whole_records(lines)
        with lab_bench(loaded, False, patience) as bench, lab_fold(bench.snapshot) as settle:
            test = Backtest(bench, settle, since, math.inf)
            while batch := list(islice(records, _BATCH)):
                if self._clock.monotonic() > end:
                    raise TrialsFault(
                        f"{test.report.records} of {len(lines)} records were done in {self._settings.seconds:g} seconds"
                    )
                test.take(batch)
        return test.report


def recent_lines(folder: Path, since: float, most: int, most_bytes: int = _MOST_BYTES) -> list[LogLine]:
    """The newest `most` records of all logs in `folder`, from about `since` on, in the order of their times;
    fewer where they are larger than `most_bytes` together.

    Raises NoRecords; SegmentUnread where one of them is in a segment that cannot be read; OSError.
    """
    newest = heapq.merge(*(_newest(number, log, since) for number, log in enumerate(log_files(folder))))
    lines: list[LogLine] = []
    for _, _, _, line in islice(newest, most):
        most_bytes -= len(line.raw)
        if most_bytes < 0:
            break
        lines.append(line)
    lines.reverse()
    return lines


def _newest(number: int, log: LogFiles, since: float) -> Iterator[tuple[float, int, int, LogLine]]:
    """The lines of a log, the last first, each with its time, negative; one that cannot be read has its follower's."""
    latest = math.inf
    for place, line in enumerate(log.newest_unbroken()):
        for stored in whole_records([line]):
            if stored.record is not None:
                latest = min(latest, stored.record.time)
            if latest < since - _LONGEST_CALL:
                return
            yield -latest, number, place, line
