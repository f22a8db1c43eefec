"""What Envoy did, held against the records of a folder."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from aegis_authz.adapters.records.files import NoRecords, log_files
from aegis_authz.commands.faults import unable_on
from aegis_authz.evidence.log_report import LogLine
from aegis_authz.evidence.reconciliation import Reconciliation, read_calls, read_entry, reconcile


@unable_on(NoRecords, OSError)
def reconcile_records(logs: Sequence[Path], records: Path, patience: float, since: float) -> Reconciliation:
    """Join Envoys' access logs with all record logs of a folder, without verifying these. Raises Unable."""
    # the requests first: a call that comes in between has its decision on the disk before it is in any access log
    entries = [read_entry(line) for line in _lines(logs)]
    recorded = read_calls(line for log in log_files(records) for line in log.oldest_first())
    return reconcile(entries, recorded, patience, since)


def _lines(logs: Iterable[Path]) -> Iterator[LogLine]:
    for path in logs:
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                if raw.endswith(b"\n"):  # else Envoy is writing it
                    yield LogLine(path.name, number, raw)
