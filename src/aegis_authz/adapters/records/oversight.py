"""How people decided held calls, from the record logs of a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aegis_authz.adapters.records.files import log_files
from aegis_authz.core.record import Record
from aegis_authz.evidence.chain import NotARecord, read_record
from aegis_authz.evidence.document import RecordInvalid
from aegis_authz.evidence.oversight import Figures, Grouping, oversight_rows

_OF_APPROVALS = (b'"kind":"approval"', b'"effect":"approval_needed"')
"""What every record holds that has to do with approvals: to look for it costs far less than to read every line."""


def recorded_oversight(folder: Path, by: Grouping, since: float) -> list[Figures]:
    """The figures of all logs of `folder`, without verifying. Raises NoRecords, OSError."""
    return oversight_rows(_records(folder), by, since)


def _records(folder: Path) -> Iterator[Record]:
    for log in log_files(folder):
        for line in log.oldest_first():
            if any(mark in line.raw for mark in _OF_APPROVALS):
                try:
                    yield read_record(line.raw)
                except (NotARecord, RecordInvalid):
                    continue  # `aegis audit verify` says so
