"""What is appended to record logs while somebody watches."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from aegis_authz.adapters.records.files import LogFiles, label, log_files
from aegis_authz.adapters.records.recovery import record_files
from aegis_authz.evidence.verify import LogLine


@dataclass(frozen=True, slots=True)
class _Place:
    """How much of a file has been read: bytes, and the lines in them."""

    offset: int = 0
    lines: int = 0


class LogFollower:
    """Reads whole lines that are appended to the logs of a folder from now on, also of logs and files begun later."""

    def __init__(self, folder: Path) -> None:
        """Remember where the logs in `folder` end. Raises NoRecords, OSError."""
        self._folder = folder
        self._places: dict[Path, _Place] = {}
        for log in log_files(folder):
            for path in record_files(log.folder):
                for _ in self._read(log, path):
                    pass  # what stands there already

    def new_lines(self) -> Iterator[LogLine]:
        """The lines since the last time. Raises NoRecords, OSError."""
        for log in log_files(self._folder):
            for path in record_files(log.folder):
                yield from self._read(log, path)

    def _read(self, log: LogFiles, path: Path) -> Iterator[LogLine]:
        place = self._places.get(path, _Place())
        with path.open("rb") as file:
            if file.seek(0, os.SEEK_END) < place.offset:
                place = _Place()  # cut by its writer, which found it damaged
            file.seek(place.offset)
            for raw in file:
                if not raw.endswith(b"\n"):
                    break  # being written at this moment
                place = _Place(place.offset + len(raw), place.lines + 1)
                yield LogLine(f"{label(log.folder)}{path.name}", place.lines, raw)
        self._places[path] = place
