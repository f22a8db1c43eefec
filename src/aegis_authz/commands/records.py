"""Record logs, for the commands that prove and read them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from aegis_authz.adapters.files.keys import RECORDS, RECORDS_PUBLIC, KeyFolderError
from aegis_authz.adapters.records.files import (
    ExpectationInvalid,
    NoRecords,
    load_expected,
    log_files,
    newest_notes,
    verify_folder,
)
from aegis_authz.adapters.records.keys import RecordKeyError, load_public_keys
from aegis_authz.core.record import DecisionRecord
from aegis_authz.evidence import query
from aegis_authz.evidence.query import RecordFilter, StoredRecord

__all__ = [
    "RECORD_FAULTS",
    "found_records",
    "last_records",
    "latest_decision",
    "load_expected",
    "newest_notes",
    "record_keys",
    "verify_folder",
]

RECORD_FAULTS = (ExpectationInvalid, KeyFolderError, NoRecords, RecordKeyError, OSError)
"""Everything that can keep a log or its key from being read; the messages are fit to show."""


def record_keys(named: Path | None, folder: Path) -> tuple[bytes, ...]:
    """The raw public keys to verify with: those in the file `named`, or those of the mesh that `folder` belongs to.

    `folder` is `DIR`, `DIR/records` or `DIR/records/<writer>`. Raises RecordKeyError, KeyFolderError, OSError.
    """
    if named is not None:
        return load_public_keys(named)
    for state in (folder, *folder.absolute().parents[:2]):
        for name in (RECORDS_PUBLIC, RECORDS):
            path = state / "keys" / name
            if path.exists():
                return load_public_keys(path)
    raise RecordKeyError(f"no keys/{RECORDS_PUBLIC} beside {folder}; name the public key with --key")


def found_records(folder: Path, decision_id: str) -> Iterator[StoredRecord]:
    """Every record of one decision in the logs of `folder`, without verifying. Raises NoRecords, OSError."""
    wanted = RecordFilter(decision_id=decision_id)
    for log in log_files(folder):
        yield from query.matching(log.oldest_first(), wanted)


def last_records(folder: Path, count: int, wanted: RecordFilter) -> list[StoredRecord]:
    """The last `count` wanted records of all logs in `folder`, oldest first. Raises NoRecords, OSError."""
    return query.last_records((log.newest_first() for log in log_files(folder)), count, wanted)


def latest_decision(folder: Path, decision_id: str, within: int) -> DecisionRecord | None:
    """The record of a decision among the last `within` lines of any log. Raises NoRecords, OSError."""
    wanted = RecordFilter(decision_id=decision_id)
    for log in log_files(folder):
        for stored in query.matching(islice(log.newest_first(), within), wanted):
            if isinstance(stored.record, DecisionRecord):
                return stored.record
    return None
