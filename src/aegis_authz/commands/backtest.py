"""Recorded calls decided again under a candidate, from the logs of a folder."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from aegis_authz.adapters.records.files import LogFiles, NoRecords, log_files
from aegis_authz.bootstrap.lab_bench import lab_bench
from aegis_authz.bootstrap.lab_fold import lab_fold
from aegis_authz.commands.faults import unable_on
from aegis_authz.commands.sealed_records import auditor_opener
from aegis_authz.core.refused import Refused
from aegis_authz.evidence.query import StoredRecord, whole_records
from aegis_authz.lab.backtest import Backtest, BacktestReport
from aegis_authz.lab.opa import LabError
from aegis_authz.local.servers import ServerMissing
from aegis_authz.policy.load import Loaded

_BATCH = 5000
"""Records that are judged at once: OPA is asked about those of their questions that are new."""

Progress = Callable[[int], None]
"""Is told how many records are done."""


@dataclass(frozen=True, slots=True)
class Period:
    """Calls from `since` on and before `until`, epoch seconds."""

    since: float
    until: float


@unable_on(NoRecords, LabError, Refused, ServerMissing, OSError)
def backtest(
    folder: Path, loaded: Loaded, period: Period, progress: Progress, auditors: Sequence[Path] = ()
) -> BacktestReport:
    """Decide the calls of all logs in `folder` again under these documents, without verifying the logs. Raises Unable.

    What is sealed is opened with the private keys in the files `auditors`.

    Limits are counted from the first record on, each call and each outcome at its recorded time.
    """
    opener = auditor_opener(auditors)
    with lab_bench(loaded, plays_sequences=False) as bench, lab_fold(bench.snapshot) as settle:
        test = Backtest(bench, settle, period.since, period.until)
        for batch in ordered_batches(folder):
            test.take([*map(opener, batch)])
            progress(test.report.records)
    return test.report


def ordered_batches(folder: Path) -> Iterator[list[StoredRecord]]:
    """The records of all logs in `folder` in the order of their times, without verifying. Raises NoRecords, OSError."""
    records = _in_order(log_files(folder))
    while batch := list(islice(records, _BATCH)):
        yield batch


def _in_order(logs: list[LogFiles]) -> Iterator[StoredRecord]:
    """The records of all logs, each by the latest time of its log up to it: calls are recorded as they end."""
    return (stored for _, _, _, stored in heapq.merge(*(_timed(number, log) for number, log in enumerate(logs))))


def _timed(number: int, log: LogFiles) -> Iterator[tuple[float, int, int, StoredRecord]]:
    latest = 0.0
    for place, stored in enumerate(whole_records(log.oldest_first())):
        if stored.record is not None:
            latest = max(latest, stored.record.time)
        yield latest, number, place, stored
