"""An access log of Envoy, read as it grows, across rotation and restarts."""

from __future__ import annotations

import logging
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from aegis_authz.evidence.log_report import LogLine

_log = logging.getLogger(__name__)
_ROTATED = re.compile(r"[.-][0-9][0-9T.:_Z+-]*(\.[a-z]+[0-9]*)?")
"""What logrotate and its like put behind a log's name: a number or a date, and a compressor's word."""
_COMPRESSED = re.compile(r"\.[a-z]+[0-9]*\Z")


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where reading goes on: in the file of that inode, behind so many bytes and lines."""

    inode: int
    offset: int
    lines: int


BEGINNING = LogPlace(0, 0, 0)
"""Of whatever file is there first."""


class AccessLogTail:
    """The lines of the log at `path`, each once. Files that were renamed are read to their ends, one after the other,
    before the one that has the name now; one that was cut off is read from its beginning.
    """

    def __init__(self, path: Path, place: LogPlace) -> None:
        """Go on at `place`, also where the file of that inode stands beside `path` by now, as `NAME.1` or the like."""
        self._path = path
        self._place = place
        self._file: BinaryIO | None = None

    @property
    def place(self) -> LogPlace:
        """Behind the last line that was read."""
        return self._place

    def to_end(self) -> None:
        """Pass over what is there now. Raises OSError."""
        while self.lines(10_000):
            pass

    def lines(self, most: int) -> list[LogLine]:
        """At most so many whole lines that were not read yet; none where there is no file yet. Raises OSError."""
        read: list[LogLine] = []
        while len(read) < most and (file := self._file or self._open()) is not None:
            read += self._read(file, most - len(read))
            if len(read) == most or (following := self._following(file)) is None:
                break
            if following.inode != self._place.inode:  # what came to the former until the next one began
                read += self._read(file, most - len(read))
            if len(read) < most:
                self.close()
                self._place = following
        return read

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _open(self) -> BinaryIO | None:
        try:
            path = self._where()
            file = path.open("rb")
        except FileNotFoundError:
            return None
        status = os.fstat(file.fileno())
        if status.st_ino != self._place.inode or status.st_size < self._place.offset:
            if self._place.inode:
                _log.warning("%s is another file than before: what was written between the two is not read", path)
            self._place = LogPlace(status.st_ino, 0, 0)
        file.seek(self._place.offset)
        self._file = file
        return file

    def _where(self) -> Path:
        if self._place.inode and self._path.stat().st_ino != self._place.inode:
            for beside in sorted(self._path.parent.glob(f"{self._path.name}?*")):
                if beside.stat().st_ino == self._place.inode:
                    return beside
        return self._path

    def _read(self, file: BinaryIO, most: int) -> list[LogLine]:
        read: list[LogLine] = []
        offset, number = self._place.offset, self._place.lines
        while len(read) < most and (raw := file.readline()).endswith(b"\n"):
            offset, number = offset + len(raw), number + 1
            read.append(LogLine(self._path.name, number, raw))
        file.seek(offset)  # before a line that is being written
        self._place = LogPlace(self._place.inode, offset, number)
        return read

    def _following(self, file: BinaryIO) -> LogPlace | None:
        """Where to go on behind the end of `file`: in the next one, or at the beginning where the log was cut off."""
        try:
            status = self._path.stat()
        except FileNotFoundError:
            return None  # between two names
        if status.st_ino == self._place.inode:
            return LogPlace(status.st_ino, 0, 0) if status.st_size < self._place.offset else None
        if (rotated := self._rotated_since(os.fstat(file.fileno()).st_mtime_ns)) is not None:
            return LogPlace(rotated, 0, 0)
        # whoever rotates may make the next file before Envoy leaves the former
        return LogPlace(status.st_ino, 0, 0) if status.st_size else None

    def _rotated_since(self, moment: int) -> int | None:
        """The inode of the first file that took the log's name later and stands beside it by now, None for none."""
        beside = [path for path in self._path.parent.iterdir() if self._is_rotated(path)]
        for status, path in sorted(((path.stat(), path) for path in beside), key=lambda each: each[0].st_mtime_ns):
            if status.st_mtime_ns > moment and status.st_ino != self._place.inode:
                if _COMPRESSED.search(path.name) is None:
                    return status.st_ino
                _log.error("%s was compressed before it was read: aegis audit reconcile judges its calls", path)
        return None

    def _is_rotated(self, path: Path) -> bool:
        return path.name.startswith(self._path.name) and bool(_ROTATED.fullmatch(path.name[len(self._path.name) :]))
