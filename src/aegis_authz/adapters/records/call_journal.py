"""Access logs and records as both grow, from where they were read last: what calls are joined from."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from aegis_authz import durable
from aegis_authz.adapters.files.access_log import BEGINNING, AccessLogTail, LogPlace
from aegis_authz.adapters.records.cursor import Place, PlacedLine, ends, lines_behind
from aegis_authz.adapters.records.files import NoRecords
from aegis_authz.evidence.log_report import LogLine
from aegis_authz.evidence.reconciliation import Gap, ProxyEntry, RecordedCalls, read_calls, read_entry
from aegis_authz.evidence.search import RecordsUnavailable

_VERSION = 1


class CallJournal:
    """The access logs at `logs` and the record logs in `folder`. Every method blocks; one thread at a time calls.

    Without the file `cursor` reading begins where all of them end now. Methods raise OSError.
    """

    def __init__(self, logs: Sequence[Path], folder: Path, cursor: Path) -> None:
        self._logs = logs
        self._folder = folder
        self._cursor = cursor
        self._tails: list[AccessLogTail] = []
        self._places: dict[str, Place] = {}

    def open(self) -> None:
        """Find where to go on. Raises RecordsUnavailable for a cursor's file that is none, OSError."""
        self.close()
        try:
            content = self._cursor.read_bytes()
        except FileNotFoundError:
            self._tails = [AccessLogTail(path, BEGINNING) for path in self._logs]
            for tail in self._tails:
                tail.to_end()
            self._places = self._ends()
            return
        try:
            places, writers = _read_cursor(content)
        except (ValueError, KeyError, TypeError, AttributeError):
            raise RecordsUnavailable(f"{self._cursor} is no cursor: remove it to go on from now") from None
        self._tails = [AccessLogTail(path, places.get(str(path), BEGINNING)) for path in self._logs]
        self._places = writers

    def entries(self, most: int) -> list[ProxyEntry | Gap]:
        """At most so many requests of each access log that were not read yet."""
        return [read_entry(line) for tail in self._tails for line in tail.lines(most)]

    def records(self, most: int) -> tuple[RecordedCalls, int]:
        """What came to the records, of at most so many lines, and of how many; all of them again after OSError."""
        lines: list[LogLine] = []
        places = dict(self._places)
        for placed in islice(self._behind(), most):
            places[placed.writer] = placed.place
            lines.append(placed.line)
        self._places = places
        return read_calls(lines), len(lines)

    def mark(self) -> bytes:
        """Where everything was read to, to be saved later."""
        logs = {
            str(path): {"inode": tail.place.inode, "offset": tail.place.offset, "lines": tail.place.lines}
            for path, tail in zip(self._logs, self._tails, strict=True)
        }
        writers = {
            name: {"file": place.file, "offset": place.offset, "lines": place.lines, "tail": place.tail}
            for name, place in self._places.items()
        }
        return json.dumps({"v": _VERSION, "logs": logs, "writers": writers}).encode() + b"\n"

    def save(self, mark: bytes) -> None:
        """Go on there after a restart."""
        durable.replace(self._cursor, mark)

    def close(self) -> None:
        """Close the files."""
        for tail in self._tails:
            tail.close()
        self._tails = []

    def _behind(self) -> Iterator[PlacedLine]:
        try:
            return lines_behind(self._folder, dict(self._places))
        except NoRecords:
            return iter(())  # nobody has written yet

    def _ends(self) -> dict[str, Place]:
        try:
            return ends(self._folder)
        except NoRecords:
            return {}


def _read_cursor(content: bytes) -> tuple[Mapping[str, LogPlace], dict[str, Place]]:
    members = json.loads(content)
    if members["v"] != _VERSION:
        raise ValueError("another version")
    logs = {
        path: LogPlace(int(place["inode"]), int(place["offset"]), int(place["lines"]))
        for path, place in members["logs"].items()
    }
    writers = {
        name: Place(str(place["file"]), int(place["offset"]), int(place["lines"]), str(place["tail"]))
        for name, place in members["writers"].items()
    }
    return logs, writers
