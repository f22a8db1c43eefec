"""Segments that an index leaves out because they cannot be read now: kept in its file, and indexed once they can be."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Final

from aegis_authz.adapters.records.cursor import Place, UnreadSegment

_log = logging.getLogger(__name__)
GAP_TABLE: Final = """
CREATE TABLE gaps (
  writer TEXT, file TEXT, offset INTEGER, lines INTEGER, tail TEXT, fault TEXT, tried REAL, PRIMARY KEY (writer, file)
) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Gap:
    """A segment that is left out from a place on, and why: "" for one that is being read at last. `tried` is when it
    was, seconds since the epoch.
    """

    writer: str
    place: Place
    fault: str
    tried: float

    @property
    def name(self) -> str:
        """The segment, as `writer/file`."""
        return f"{self.writer}/{self.place.file}"


class Gaps:
    """The gaps of an index, in the table of its file. Raises sqlite3.DatabaseError."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def all(self) -> list[Gap]:
        """Every gap, in the order of the segments."""
        rows = self._connection.execute(
            "SELECT writer, file, offset, lines, tail, fault, tried FROM gaps ORDER BY writer, file"
        )
        return [
            Gap(writer, Place(file, offset, lines, tail), fault, tried)
            for writer, file, offset, lines, tail, fault, tried in rows
        ]

    def segments(self) -> frozenset[tuple[str, str]]:
        """The segments that have a gap, by writer and file."""
        return frozenset((gap.writer, gap.place.file) for gap in self.all())

    def due(self, now: float, pause: float) -> Iterator[Gap]:
        """Those that are being read, and those that were not tried for `pause` seconds: a key store that is away is
        not asked at each look.
        """
        return (gap for gap in self.all() if not gap.fault or not gap.tried <= now < gap.tried + pause)

    def leave_out(self, unread: UnreadSegment, now: float) -> None:
        """Note a segment that cannot be read; what is new of it is in the log once."""
        place = unread.place
        former = self._connection.execute(
            "SELECT fault FROM gaps WHERE writer = ? AND file = ?", (unread.writer, place.file)
        ).fetchone()
        if former is None or former[0] != unread.fault:
            _log.warning("not all is indexed: %s", unread.fault)
        self._connection.execute(
            "INSERT OR REPLACE INTO gaps VALUES (?,?,?,?,?,?,?)",
            (unread.writer, place.file, place.offset, place.lines, place.tail, unread.fault, now),
        )

    def go_on(self, gap: Gap, place: Place) -> None:
        """Note how far a segment was read that could not be before."""
        self._connection.execute(
            "UPDATE gaps SET offset = ?, lines = ?, tail = ?, fault = '' WHERE writer = ? AND file = ?",
            (place.offset, place.lines, place.tail, gap.writer, gap.place.file),
        )

    def close(self, gap: Gap) -> None:
        """Forget a gap: its segment was read to its end, or is gone."""
        self._connection.execute("DELETE FROM gaps WHERE writer = ? AND file = ?", (gap.writer, gap.place.file))
        _log.info("%s is left out of the index no more", gap.name)

    def keep(self, writers: Collection[str]) -> None:
        """Forget those of all other writers, whose logs are gone: of one that was never read nothing else says so."""
        for writer in {gap.writer for gap in self.all()}.difference(writers):
            self.forget(writer)

    def forget(self, writer: str, before: str = "") -> None:
        """Forget those of a writer whose log is another now, or in segments before that one, which are gone."""
        clause = "writer = ? AND file < ?" if before else "writer = ?"
        values = (writer, before) if before else (writer,)
        self._connection.execute(f"DELETE FROM gaps WHERE {clause}", values)  # noqa: S608  # one of two constants
