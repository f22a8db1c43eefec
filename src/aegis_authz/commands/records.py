"""Record logs, for the commands that prove and read them."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

from aegis_authz.adapters.files.keys import RECORDS, RECORDS_PUBLIC, KeyFolderError
from aegis_authz.adapters.records.cursor import lines_behind
from aegis_authz.adapters.records.files import (
    ExpectationInvalid,
    NoRecords,
    load_anchors,
    load_expected,
    log_files,
    newest_notes,
    verify_folder,
)
from aegis_authz.adapters.records.following import LogFollower
from aegis_authz.adapters.records.index import IndexStale, IndexUnusable, RecordIndex
from aegis_authz.adapters.records.keys import RecordKeyError, load_public_keys
from aegis_authz.adapters.records.unread import SegmentUnread
from aegis_authz.commands.faults import Rejected, Unable, unable_on
from aegis_authz.core.record import DecisionRecord
from aegis_authz.evidence import query
from aegis_authz.evidence.anchors import NO_ANCHORS
from aegis_authz.evidence.checkpoint import CheckpointInvalid
from aegis_authz.evidence.log_report import LogLine, LogReport
from aegis_authz.evidence.query import IndexQuery, RecordFilter, StoredRecord
from aegis_authz.evidence.timeline import Step, calls_of, timeline
from aegis_authz.local.layout import ANCHORS_FILE

_log = logging.getLogger(__name__)
_FAULTS = (ExpectationInvalid, KeyFolderError, NoRecords, RecordKeyError, OSError)


@unable_on(*_FAULTS)
def whole_lines(folder: Path) -> list[LogLine]:
    """The lines of every log of a folder, but one that is being written at this moment. Raises Unable."""
    return [placed.line for placed in lines_behind(folder, {})]


@unable_on(*_FAULTS)
def verify_records(
    folder: Path,
    state: Path | None,
    key: Path | None,
    expect: Path | None,
    anchors: Path | None,
    places: Collection[str],
    is_sealed_alone: bool = False,
) -> list[LogReport]:
    """Prove every log of a folder, against checkpoints kept in the file `expect`, and against the `anchors` of these
    places (of all where none is named); without a file of those against DIR/anchors.jsonl where there is one. With
    `is_sealed_alone` the folder holds sealed segments and nothing else.

    Raises Unable, also where anchors are asked for of which there are none.
    """
    keys = record_keys(key, state or folder)
    expected = load_expected(expect, keys) if expect is not None else []
    file = anchors if anchors is not None else anchors_beside(state or folder)
    if file is None and places:
        raise Unable(f"no file of anchors is named, and no {ANCHORS_FILE} is beside {folder}")
    proven = NO_ANCHORS if file is None else load_anchors(file, keys, places)
    return verify_folder(folder, keys, expected, proven, is_sealed_alone)


def anchors_beside(folder: Path) -> Path | None:
    """The file of anchors of the mesh that `folder` belongs to, None where there is none."""
    places = (folder, *folder.absolute().parents[:2])
    # a link to a disk that is not there now is no reason to go without
    return next((path for place in places if os.path.lexists(path := place / ANCHORS_FILE)), None)


@unable_on(*_FAULTS)
def newest_checkpoints(folder: Path, state: Path | None, key: Path | None) -> bytes:
    """The newest signed checkpoint of every log. Raises Rejected when one cannot be trusted, Unable."""
    try:
        return b"".join(newest_notes(folder, record_keys(key, state or folder)).values())
    except CheckpointInvalid as fault:
        raise Rejected(str(fault)) from None


def record_keys(key_file: Path | None, folder: Path) -> tuple[bytes, ...]:
    """The raw public keys to verify with: those in the file `key_file`, or those of the mesh that `folder` belongs to.

    `folder` is `DIR`, `DIR/records` or `DIR/records/<writer>`. Raises RecordKeyError, KeyFolderError, OSError.
    """
    if key_file is not None:
        return load_public_keys(key_file)
    for state in (folder, *folder.absolute().parents[:2]):
        for name in (RECORDS_PUBLIC, RECORDS):
            path = state / "keys" / name
            if path.exists():
                return load_public_keys(path)
    raise RecordKeyError(f"no keys/{RECORDS_PUBLIC} beside {folder}; name the public key with --key")


@unable_on(*_FAULTS)
def decision_records(folder: Path, decision_id: str) -> list[StoredRecord]:
    """Every record of one decision in the logs of `folder`, without verifying. Raises Unable."""
    return list(found_records(folder, decision_id))


def found_records(folder: Path, decision_id: str) -> Iterator[StoredRecord]:
    """Every record of one decision in the logs of `folder`, without verifying. Raises NoRecords, OSError."""
    record_filter = RecordFilter(decision_id=decision_id)
    for log in log_files(folder):
        yield from query.matching(readable(log.oldest_first()), record_filter)


def readable(lines: Iterable[LogLine]) -> Iterator[LogLine]:
    """The lines of what can be read, and a warning with the names of the files that cannot. Raises OSError."""
    try:
        yield from lines
    except SegmentUnread as fault:
        _log.warning("not all is read: %s", fault)


@unable_on(*_FAULTS)
def approval_timeline(folder: Path, approval_id: str) -> list[Step]:
    """The trail of an approval in the logs of `folder`, without verifying. Raises Unable."""
    of_approval = list(found_records(folder, approval_id))
    records = {(stored.file, stored.number): stored for stored in of_approval}
    for decision_id in calls_of(approval_id, of_approval):
        records |= {(stored.file, stored.number): stored for stored in found_records(folder, decision_id)}
    return timeline(approval_id, records.values())


@unable_on(*_FAULTS, IndexUnusable, IndexStale)
def indexed_records(folder: Path, index: Path, sought: IndexQuery, count: int, is_rebuilt: bool) -> list[StoredRecord]:
    """The last `count` decisions and approvals that are sought, by the index in that file, which is brought up to date
    first, and made anew where `is_rebuilt` or it is of other records. Reads without verifying. Raises Unable.
    """
    try:
        return _indexed(folder, index, sought, count, is_rebuilt)
    except IndexStale:
        return _indexed(folder, index, sought, count, is_rebuilt=True)


def _indexed(folder: Path, file: Path, sought: IndexQuery, count: int, is_rebuilt: bool) -> list[StoredRecord]:
    log_files(folder)  # without records there is nothing to begin an index of
    if is_rebuilt:
        file.unlink(missing_ok=True)
    with closing(RecordIndex(folder, file)) as index:
        index.update()
        return index.records(sought, count)


@unable_on(*_FAULTS)
def last_records(folder: Path, count: int, record_filter: RecordFilter) -> list[StoredRecord]:
    """The last `count` records that pass the filter of all logs in `folder`, oldest first. Raises Unable."""
    return query.last_records((readable(log.newest_first()) for log in log_files(folder)), count, record_filter)


def follow_records(folder: Path, record_filter: RecordFilter, wait: Callable[[], None]) -> Iterator[StoredRecord]:
    """The records that pass the filter, as they are appended to the logs in `folder` from this call on; never ends.

    `wait` is called between looks and decides how often there is one. Raises Unable.
    """
    with unable_on(*_FAULTS):
        follower = LogFollower(folder)

    def appended() -> Iterator[StoredRecord]:
        with unable_on(*_FAULTS):
            while True:
                yield from query.new_records(follower.new_lines(), record_filter)
                wait()

    return appended()


def latest_decision(folder: Path, decision_id: str, within: int) -> DecisionRecord | None:
    """The record of a decision among the last `within` lines of any log. Raises NoRecords, OSError."""
    record_filter = RecordFilter(decision_id=decision_id)
    for log in log_files(folder):
        for stored in query.matching(islice(readable(log.newest_first()), within), record_filter):
            if isinstance(stored.record, DecisionRecord):
                return stored.record
    return None
