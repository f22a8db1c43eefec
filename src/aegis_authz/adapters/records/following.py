"""What is appended to record logs while somebody watches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aegis_authz.adapters.records.cursor import ends, lines_behind
from aegis_authz.evidence.log_report import LogLine


class LogFollower:
    """Reads whole lines that are appended to the logs of a folder from now on, also of logs and files begun later."""

    def __init__(self, folder: Path) -> None:
        """Remember where the logs in `folder` end. Raises NoRecords, OSError."""
        self._folder = folder
        self._places = ends(folder)

    def new_lines(self) -> Iterator[LogLine]:
        """The lines since the last time. Raises NoRecords, OSError."""
        for placed in lines_behind(self._folder, dict(self._places)):
            self._places[placed.writer] = placed.place
            yield placed.line
