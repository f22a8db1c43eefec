"""An index of records by what they are of, by decision, approval and time: a file of SQLite.

It can be deleted at any time. It holds where each line stands and what it is sought by; what is found is read from the
line and compared. A log whose indexed end is another now, cut off or exchanged, is indexed again from its beginning: by
the chain of hashes, the same end is the same log.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice, takewhile
from pathlib import Path
from typing import NamedTuple

from aegis_authz.adapters.records.cursor import (
    Place,
    PlacedLine,
    UnreadSegment,
    is_there,
    lines_of_segment,
    lines_over_gaps,
)
from aegis_authz.adapters.records.files import label, log_files
from aegis_authz.adapters.records.index_columns import LISTED, OF_APPROVAL, columns_of, conditions_of, order_of
from aegis_authz.adapters.records.index_gaps import GAP_TABLE, Gap, Gaps
from aegis_authz.adapters.records.segments import Segment, SegmentReader, segments
from aegis_authz.adapters.records.unread import NotKnown, SegmentUnread
from aegis_authz.core.person import Domain
from aegis_authz.core.record import Record
from aegis_authz.evidence.chain import NotARecord, read_record
from aegis_authz.evidence.document import RecordInvalid
from aegis_authz.evidence.query import IndexQuery, StoredRecord
from aegis_authz.evidence.search import (
    IndexedRecord,
    RecordPage,
    RecordPlace,
    RecordSearch,
    SearchTooLong,
    sees_all,
)
from aegis_authz.evidence.segment import segment_number

_log = logging.getLogger(__name__)
_VERSION = 4
_TABLES = f"""{GAP_TABLE}
CREATE TABLE places (writer TEXT PRIMARY KEY, file TEXT, offset INTEGER, lines INTEGER, tail TEXT);
CREATE TABLE tenants (org TEXT, tenant TEXT, PRIMARY KEY (org, tenant)) WITHOUT ROWID;
CREATE TABLE records (
  writer TEXT, file TEXT, line INTEGER, offset INTEGER, length INTEGER, time REAL, kind TEXT, decision_id TEXT,
  approval_id TEXT, org TEXT, tenant TEXT, scope TEXT, agent TEXT, tool TEXT, effect TEXT, reason TEXT,
  PRIMARY KEY (writer, file, line)
) WITHOUT ROWID;
CREATE INDEX by_time ON records (time) WHERE kind IN ('decision', 'approval');
CREATE INDEX by_tenant ON records (org, tenant, time) WHERE kind IN ('decision', 'approval');
CREATE INDEX by_scope ON records (scope, time) WHERE kind IN ('decision', 'approval');
CREATE INDEX by_agent ON records (agent, time) WHERE kind IN ('decision', 'approval');
CREATE INDEX by_tool ON records (tool, time) WHERE kind IN ('decision', 'approval');
CREATE INDEX by_effect ON records (effect, time) WHERE kind IN ('decision', 'approval');
CREATE INDEX by_reason ON records (reason, time) WHERE kind IN ('decision', 'approval');
CREATE INDEX approvals ON records (time) WHERE kind = 'approval';
CREATE INDEX by_decision ON records (decision_id, time);
CREATE INDEX by_approval ON records (approval_id, time) WHERE approval_id <> '';
"""
_ROW = (
    "writer, file, line, offset, length, time, "
    "kind, decision_id, approval_id, org, tenant, scope, agent, tool, effect, reason"
)
_INSERT = f"INSERT OR REPLACE INTO records VALUES ({','.join('?' for _ in _ROW.split(','))})"  # noqa: S608  # marks alone
_NEWEST_FIRST = "ORDER BY time DESC, writer DESC, file DESC, line DESC LIMIT ?"
_INDEXED = tuple(b'"kind":"%b"' % kind for kind in (b"decision", b"approval", b"outcome", b"usage", b"redaction"))
_STEPS = 2_000
"""Instructions of SQLite between two looks at the clock: some 20 microseconds."""


class IndexUnusable(Exception):
    """The file of an index cannot be used; the message names it and says what to do."""


class IndexStale(Exception):
    """A line is not where the index says, or another: the index is of other logs."""


class IndexUpdate(NamedTuple):
    """How many lines were read, and what was indexed of them, but for what was left out before: that is no news."""

    lines: int
    records: list[IndexedRecord]


class RecordIndex:
    """The index of the logs in `folder`, in the file at `path`."""

    def __init__(self, folder: Path, path: Path, pause: float = 0.0) -> None:
        """Open it, or begin it. For `pause` seconds, what could not be read is not tried again.

        Raises IndexUnusable, IndexStale for one of a version before, OSError.
        """
        self._folder = folder
        self._pause = pause
        self._path = path
        path.touch(mode=0o600)  # it tells who called what
        try:
            self._connection = sqlite3.connect(path, isolation_level=None)
        except sqlite3.DatabaseError as fault:
            raise IndexUnusable(f"{path} cannot be opened: {fault}") from None
        try:
            (version,) = self._connection.execute("PRAGMA user_version").fetchone()
            if version == 0:
                self._connection.executescript(f"BEGIN; {_TABLES} PRAGMA user_version={_VERSION}; COMMIT;")
        except sqlite3.DatabaseError as fault:
            self._connection.close()
            raise IndexUnusable(f"{path} is no index of records ({fault}): --rebuild makes it anew") from None
        self._gaps = Gaps(self._connection)
        if 0 < version < _VERSION:
            self._connection.close()
            raise IndexStale(f"{path} is an index as they were before")
        if version not in (0, _VERSION):
            self._connection.close()
            raise IndexUnusable(f"{path} is an index of another version: --rebuild makes it anew")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def update(self, most: int | None = None) -> IndexUpdate:
        """Index what came since the last time, at most so many lines of it, all or nothing.

        Raises IndexUnusable, NoRecords, OSError.
        """
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                places, folders = self._places(), self._folders()
                for writer, place in list(places.items()):
                    if writer not in folders or not is_there(folders[writer], place):
                        self._connection.execute("DELETE FROM records WHERE writer = ?", (writer,))
                        self._connection.execute("DELETE FROM places WHERE writer = ?", (writer,))
                        self._gaps.forget(writer)
                        del places[writer]
                self._gaps.keep(folders.keys())
                for writer, folder in folders.items():
                    first = next((segment.name for segment in segments(folder)), "")
                    self._connection.execute("DELETE FROM records WHERE writer = ? AND file < ?", (writer, first))
                    self._gaps.forget(writer, first)
                # the rest is for what is new
                late = self._catch_up(folders, places, None if most is None else -(-most // 2))
                left = None if most is None else most - late
                added = self._add(lines_over_gaps(self._folder, places, self._gaps.segments()), left)
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.DatabaseError as fault:
            raise IndexUnusable(f"{self._path} cannot be written ({fault}): --rebuild makes it anew") from None
        return IndexUpdate(late + added.lines, added.records)

    def gaps(self) -> list[Gap]:
        """The segments that are left out, for they cannot be read. Raises IndexUnusable."""
        try:
            return self._gaps.all()
        except sqlite3.DatabaseError as fault:
            raise IndexUnusable(f"{self._path} cannot be read ({fault}): --rebuild makes it anew") from None

    def records(self, query: IndexQuery, count: int) -> list[StoredRecord]:
        """The last `count` records that are sought, oldest first. Raises as `update` does, and IndexStale."""
        conditions: list[tuple[str, str | float]] = [("time >= ?", query.since), ("time < ?", query.until)]
        conditions += [("scope = ?" if "/" in query.agent else "agent = ?", query.agent)] if query.agent else []
        columns = {"tool = ?": query.tool, "effect = ?": query.effect, OF_APPROVAL: query.approval_id}
        conditions += [(clause, value) for clause, value in columns.items() if value]
        clauses = " AND ".join(clause for clause, _ in conditions)
        rows = self._rows(f"{LISTED} AND {clauses} {_NEWEST_FIRST}", (*(value for _, value in conditions), count))
        return [record.stored for record in self._read_all(reversed(rows))]

    def page(
        self,
        search: RecordSearch,
        domains: Collection[Domain],
        before: RecordPlace | None,
        count: int,
        patience: float,
    ) -> RecordPage:
        """At most `count` of the decisions and approvals that are sought, of these domains alone, newest first.

        Fewer, and where to go on, where it takes more than `patience` seconds to read them. Raises as `records` does,
        and SearchTooLong for what takes that long to find.
        """
        clauses, values = conditions_of(search, before)
        end = time.monotonic() + patience
        rows: list[tuple[object, ...]] = []
        for tenant in self._tenants(search, domains):
            of_tenant = f"{clauses} AND org = ? AND tenant = ?" if tenant else clauses
            rows += self._rows(f"{of_tenant} {_NEWEST_FIRST}", (*values, *tenant, count + 1), end)
        rows.sort(key=order_of, reverse=True)
        records = tuple(self._read_first(rows[:count], end))
        return RecordPage(records, records[-1].place if len(rows) > len(records) else None)

    def _tenants(self, search: RecordSearch, domains: Collection[Domain]) -> list[tuple[str, ...]]:
        """The tenants, as org and name, whose records the page is of; one empty entry for the records of all.

        Each has an index in order of time: to look for a small one among the records of all others could take long.
        """
        if sees_all(domains):
            return [tuple(search.tenant.split("/"))] if search.tenant else [()]
        known = self._connection.execute("SELECT org, tenant FROM tenants").fetchall()
        names = [(org, tenant) for org, tenant in known if search.tenant in ("", f"{org}/{tenant}")]
        return [name for name in names if _is_covered(domains, *name)]

    def of_decision(self, decision_id: str, count: int) -> list[IndexedRecord]:
        """At most `count` records of one decision, oldest first. Raises as `records` does; NotKnown where none can be
        read, and some are there or may be.
        """
        return self._read_any(self._rows("decision_id = ? ORDER BY time LIMIT ?", (decision_id, count)))

    def of_approval(self, approval_id: str, count: int) -> list[IndexedRecord]:
        """At most `count` decisions and steps of one approval, oldest first. Raises as `of_decision` does."""
        return self._read_any(self._rows(f"{OF_APPROVAL} ORDER BY time LIMIT ?", (approval_id, count)))

    def _rows(self, clauses: str, values: Sequence[object], end: float = 0.0) -> list[tuple[object, ...]]:
        if end:
            self._connection.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
        try:
            # the clauses are of this file, and every value is a parameter
            query = f"SELECT {_ROW} FROM records WHERE {clauses}"  # noqa: S608  # as above
            return self._connection.execute(query, tuple(values)).fetchall()
        except sqlite3.DatabaseError as fault:
            if end and time.monotonic() > end:
                raise SearchTooLong("the search took too long: say more of what is sought, or since when") from None
            raise IndexUnusable(f"{self._path} cannot be read ({fault}): --rebuild makes it anew") from None
        finally:
            self._connection.set_progress_handler(None, 0)

    def _read_first(self, rows: Sequence[tuple[object, ...]], end: float) -> Iterator[IndexedRecord]:
        """The rows from the first on, segment by segment until the time is up: to expand one may take a second."""
        by_segment: dict[tuple[object, ...], list[tuple[object, ...]]] = {}
        for row in rows:
            by_segment.setdefault(row[:2], []).append(row)
        records: dict[tuple[object, ...], IndexedRecord] = {}
        for of_segment in by_segment.values():
            records.update(self._read_in_order(of_segment))
            if time.monotonic() > end:
                break
        return (records[row] for row in takewhile(records.__contains__, rows))

    def _read_any(self, rows: Sequence[tuple[object, ...]]) -> list[IndexedRecord]:
        """What can be read of the rows: where that is nothing it is not said that nothing is there."""
        records = self._read_all(rows)
        if not records and (rows or self.gaps()):
            raise NotKnown("no record of what is sought can be read")
        return records

    def _read_all(self, rows: Iterable[tuple[object, ...]]) -> list[IndexedRecord]:
        rows = list(rows)
        records = dict(self._read_in_order(rows))
        return [records[row] for row in rows if records[row].stored.record is not None]

    def _read_in_order(self, rows: Sequence[tuple[object, ...]]) -> Iterator[tuple[tuple[object, ...], IndexedRecord]]:
        """The records of the rows, in the order of the files; those of a segment that cannot be read without what they
        say, and the segment is named in the log.
        """
        folders = self._folders() if rows else {}
        unread: dict[tuple[object, ...], str] = {}
        with SegmentReader() as reader:
            for row in sorted(rows):
                segment = row[:2]
                if segment not in unread:  # a key store that is away is asked once for each, not for each row
                    try:
                        record = self._read(reader, folders, *row)  # type: ignore[arg-type]  # of `_ROW`
                    except SegmentUnread as fault:
                        unread[segment] = str(fault)
                        _log.warning("not all is read: %s", fault)
                    else:
                        yield row, record
                        continue
                yield row, _unread(folders, unread[segment], *row)  # type: ignore[arg-type]  # of `_ROW`

    def _folders(self) -> dict[str, Path]:
        return {log.folder.name: log.folder for log in log_files(self._folder)}

    def _places(self) -> dict[str, Place]:
        rows = self._connection.execute("SELECT writer, file, offset, lines, tail FROM places")
        return {writer: Place(file, offset, lines, tail) for writer, file, offset, lines, tail in rows}

    def _catch_up(self, folders: Mapping[str, Path], places: dict[str, Place], most: int | None) -> int:
        """Index what was left out and can be read by now, at most so many lines; how many there were."""
        count, now = 0, time.time()
        for gap in self._gaps.due(now, self._pause):
            left, lines, behind = None if most is None else most - count, 0, gap.place
            if left == 0:
                break
            try:
                for placed in islice(lines_of_segment(folders[gap.writer], gap.place), left):
                    self._insert(placed)
                    lines, behind = lines + 1, placed.place
            except FileNotFoundError:
                self._gaps.close(gap)
            except SegmentUnread as fault:
                self._gaps.leave_out(UnreadSegment(gap.writer, behind, str(fault)), now)
            else:
                if left is None or lines < left:
                    self._gaps.close(gap)
                    if gap.writer not in places or places[gap.writer].file <= behind.file:  # nothing behind it was read
                        places[gap.writer] = behind
                        self._keep_place(gap.writer, behind)
                else:
                    self._gaps.go_on(gap, behind)
            count += lines
        return count

    def _add(self, entries: Iterable[PlacedLine | UnreadSegment], most: int | None) -> IndexUpdate:
        last: dict[str, Place] = {}
        added: list[IndexedRecord] = []
        lines = 0
        for entry in entries if most != 0 else ():
            if isinstance(entry, UnreadSegment):
                self._gaps.leave_out(entry, time.time())
                continue
            lines += 1
            last[entry.writer] = entry.place
            record = self._insert(entry)
            if record is not None:
                added.append(record)
            if lines == most:
                break
        for writer, place in last.items():
            self._keep_place(writer, place)
        return IndexUpdate(lines, added)

    def _keep_place(self, writer: str, place: Place) -> None:
        row = (writer, place.file, place.offset, place.lines, place.tail)
        self._connection.execute("INSERT OR REPLACE INTO places VALUES (?,?,?,?,?)", row)

    def _insert(self, placed: PlacedLine) -> IndexedRecord | None:
        """Index a line; None where it is nothing that is sought."""
        writer, place, raw = placed.writer, placed.place, placed.line.raw
        record = _record(raw) if any(mark in raw for mark in _INDEXED) else None
        columns = None if record is None else columns_of(record)
        if columns is None:
            return None
        offset = place.offset - len(raw)
        self._connection.execute(_INSERT, (writer, place.file, place.lines, offset, len(raw), *columns))
        self._connection.execute("INSERT OR IGNORE INTO tenants VALUES (?,?)", (columns.org, columns.tenant))
        stored = StoredRecord(placed.line.file, place.lines, record, "")
        return IndexedRecord(stored, RecordPlace(columns.time, writer, place.file, place.lines), offset, raw)

    def _read(
        self,
        reader: SegmentReader,
        folders: Mapping[str, Path],
        writer: str,
        file: str,
        line: int,
        offset: int,
        length: int,
        *columns: object,
    ) -> IndexedRecord:
        try:
            folder = folders[writer]
            raw = reader.read(Segment(folder, segment_number(file)), offset, length)
            record = read_record(raw)
        except (KeyError, FileNotFoundError, NotARecord, RecordInvalid):
            raise IndexStale(f"{self._path} is an index of other records") from None
        if columns_of(record) != columns:
            raise IndexStale(f"{self._path} is an index of other records")
        stored = StoredRecord(f"{label(folder)}{file}", line, record, "")
        return IndexedRecord(stored, RecordPlace(record.time, writer, file, line), offset, raw)


def _unread(
    folders: Mapping[str, Path],
    fault: str,
    writer: str,
    file: str,
    line: int,
    offset: int,
    length: int,
    time: float,
    *_: object,
) -> IndexedRecord:
    stored = StoredRecord(f"{label(folders[writer])}{file}", line, None, fault)
    return IndexedRecord(stored, RecordPlace(time, writer, file, line), offset, b"")


def _is_covered(domains: Collection[Domain], org: str, tenant: str) -> bool:
    try:
        return any(domain.covers(Domain(org, tenant)) for domain in domains)
    except ValueError:
        return False  # of nobody, or under names that no person can be given


def _record(raw: bytes) -> Record | None:
    try:
        return read_record(raw)
    except (NotARecord, RecordInvalid):
        return None  # `aegis audit verify` says so
