"""An index of decisions and approvals by agent, tool, effect, time and approval: a file of SQLite.

It can be deleted at any time. It holds where each line stands and what it is sought by; what is found is read from the
line and compared. A log whose indexed end is another now, cut off or exchanged, is indexed again from its beginning: by
the chain of hashes, the same end is the same log.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path

from aegis_authz.adapters.records.cursor import Place, PlacedLine, is_there, lines_behind
from aegis_authz.adapters.records.files import label, log_files
from aegis_authz.core.record import ApprovalRecord, DecisionRecord, Record
from aegis_authz.evidence.chain import NotARecord, read_record
from aegis_authz.evidence.document import RecordInvalid
from aegis_authz.evidence.query import IndexQuery, StoredRecord

_VERSION = 1
_TABLES = """
CREATE TABLE places (writer TEXT PRIMARY KEY, file TEXT, offset INTEGER, lines INTEGER, tail TEXT);
CREATE TABLE records (
  writer TEXT, file TEXT, line INTEGER, offset INTEGER, length INTEGER, time REAL, approval_id TEXT,
  scope TEXT, agent TEXT, tool TEXT, effect TEXT, PRIMARY KEY (writer, file, line)
) WITHOUT ROWID;
CREATE INDEX by_time ON records (time);
CREATE INDEX by_scope ON records (scope, time);
CREATE INDEX by_agent ON records (agent, time);
CREATE INDEX by_tool ON records (tool, time);
CREATE INDEX by_effect ON records (effect, time);
CREATE INDEX by_approval ON records (approval_id, time);
"""
_ROW = "writer, file, line, offset, length, time, approval_id, scope, agent, tool, effect"
_SOUGHT = (b'"kind":"decision"', b'"kind":"approval"')


class IndexUnusable(Exception):
    """The file of an index cannot be used; the message names it and says what to do."""


class IndexStale(Exception):
    """A line is not where the index says, or another: the index is of other logs."""


class RecordIndex:
    """The index of the logs in `folder`, in the file at `path`."""

    def __init__(self, folder: Path, path: Path) -> None:
        """Open it, or begin it. Raises IndexUnusable, OSError."""
        self._folder = folder
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
        if version not in (0, _VERSION):
            self._connection.close()
            raise IndexUnusable(f"{path} is an index of another version: --rebuild makes it anew")

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def update(self) -> None:
        """Index what came since the last time, all or nothing. Raises IndexUnusable, NoRecords, OSError."""
        try:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                places, folders = self._places(), self._folders()
                for writer, place in list(places.items()):
                    if writer not in folders or not is_there(folders[writer], place):
                        self._connection.execute("DELETE FROM records WHERE writer = ?", (writer,))
                        self._connection.execute("DELETE FROM places WHERE writer = ?", (writer,))
                        del places[writer]
                self._add(lines_behind(self._folder, places))
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")
        except sqlite3.DatabaseError as fault:
            raise IndexUnusable(f"{self._path} cannot be written ({fault}): --rebuild makes it anew") from None

    def records(self, query: IndexQuery, count: int) -> list[StoredRecord]:
        """The last `count` records that are sought, oldest first. Raises as `update` does, and IndexStale."""
        wanted: list[tuple[str, str | float]] = [("time >= ?", query.since), ("time < ?", query.until)]
        wanted += [("scope = ?" if "/" in query.agent else "agent = ?", query.agent)] if query.agent else []
        columns = {"tool = ?": query.tool, "effect = ?": query.effect, "approval_id = ?": query.approval_id}
        wanted += [(clause, value) for clause, value in columns.items() if value]
        clauses = " AND ".join(clause for clause, _ in wanted)
        try:
            rows = self._connection.execute(
                # the clauses are those above, and every value is a parameter
                f"SELECT {_ROW} FROM records WHERE {clauses} "  # noqa: S608  # as above
                "ORDER BY time DESC, writer DESC, file DESC, line DESC LIMIT ?",
                (*(value for _, value in wanted), count),
            ).fetchall()
        except sqlite3.DatabaseError as fault:
            raise IndexUnusable(f"{self._path} cannot be read ({fault}): --rebuild makes it anew") from None
        folders = self._folders()
        return [self._read(folders, *row) for row in reversed(rows)]

    def _folders(self) -> dict[str, Path]:
        return {log.folder.name: log.folder for log in log_files(self._folder)}

    def _places(self) -> dict[str, Place]:
        rows = self._connection.execute("SELECT writer, file, offset, lines, tail FROM places")
        return {writer: Place(file, offset, lines, tail) for writer, file, offset, lines, tail in rows}

    def _add(self, placed: Iterable[PlacedLine]) -> None:
        last: dict[str, Place] = {}
        for each in placed:
            writer, place, raw = each.writer, each.place, each.line.raw
            offset = place.offset - len(raw)
            last[writer] = place
            record = _record(raw) if any(mark in raw for mark in _SOUGHT) else None
            columns = None if record is None else _columns(record)
            if columns is not None:
                row = (writer, place.file, place.lines, offset, len(raw), *columns)
                self._connection.execute("INSERT OR REPLACE INTO records VALUES (?,?,?,?,?,?,?,?,?,?,?)", row)
        for writer, place in last.items():
            self._connection.execute(
                "INSERT OR REPLACE INTO places VALUES (?,?,?,?,?)",
                (writer, place.file, place.offset, place.lines, place.tail),
            )

    def _read(
        self, folders: Mapping[str, Path], writer: str, file: str, line: int, offset: int, length: int, *columns: object
    ) -> StoredRecord:
        try:
            folder = folders[writer]
            with (folder / file).open("rb") as opened:
                opened.seek(offset)
                record = read_record(opened.read(length))
        except (KeyError, FileNotFoundError, NotARecord, RecordInvalid):
            raise IndexStale(f"{self._path} is an index of other records") from None
        if _columns(record) != columns:
            raise IndexStale(f"{self._path} is an index of other records")
        return StoredRecord(f"{label(folder)}{file}", line, record, "")


def _record(raw: bytes) -> Record | None:
    try:
        return read_record(raw)
    except (NotARecord, RecordInvalid):
        return None  # `aegis audit verify` says so


def _columns(record: Record) -> tuple[float, str, str, str, str, str] | None:
    """Time, approval, scope, agent, tool and effect of a record that is indexed; None for any other."""
    match record:
        case DecisionRecord():
            scope = None if record.identity is None else record.identity.scope
            names = ("", "") if scope is None else (str(scope), scope.agent)
            return record.time, record.approval_id, *names, record.tool, record.effect.value
        case ApprovalRecord():
            return record.time, record.approval_id, str(record.scope), record.scope.agent, record.tool, ""
        case _:
            return None
