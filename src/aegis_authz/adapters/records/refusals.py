"""The refusals among records, read as they are written, and at least once: how far is kept in a file."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from aegis_authz.adapters.records.cursor import (
    CursorInvalid,
    Place,
    PlacedLine,
    lines_in_turn,
    load_places,
    save_places,
)
from aegis_authz.adapters.records.files import NoRecords, log_files, writer_folders
from aegis_authz.adapters.records.segments import segments
from aegis_authz.adapters.records.unread import SegmentUnread
from aegis_authz.core.effect import Effect
from aegis_authz.core.record import DecisionRecord
from aegis_authz.core.units import Epoch
from aegis_authz.evidence.chain import NotARecord, read_record
from aegis_authz.evidence.document import RecordInvalid
from aegis_authz.evidence.search import RecordsUnavailable

_log = logging.getLogger(__name__)
_MARK = b'"effect":"deny"'
"""In every line of a refusal: the others are not taken apart."""


class RefusalFollower:
    """`control.alerting.Refusals` in the logs of a folder; `own` is the writer that decides no calls.

    Where `cursor` knows of nothing yet, reading begins with what is `since`. Every method blocks and raises
    RecordsUnavailable.
    """

    def __init__(self, folder: Path, cursor: Path, own: str) -> None:
        self._folder = folder
        self._cursor = cursor
        self._own = own
        self._places: dict[str, Place] | None = None
        self._next: dict[str, Place] = {}
        self._since = Epoch(0.0)
        self._is_behind = False
        self._unread = ""

    def read(self, most: int, since: Epoch) -> tuple[int, list[DecisionRecord]]:
        """At most so many lines behind those that were kept: how many there were, and the refusals among them."""
        try:
            places = self._begun(since)
            placed = self._placed(places, most)
        except NoRecords:
            return 0, []  # nobody has written yet
        except (OSError, CursorInvalid) as fault:
            raise RecordsUnavailable(str(fault)) from None
        self._next = places | {line.writer: line.place for line in placed}
        self._is_behind = len(placed) == most
        refusals = [record for line in placed if (record := _refusal(line)) is not None]
        return len(placed), [record for record in refusals if record.time >= self._since]

    def keep(self) -> None:
        """What was read last was taken care of."""
        self._places = self._next
        if self._since and self._is_behind:
            return  # a cursor would forget from when on refusals count
        self._since = Epoch(0.0)
        try:
            save_places(self._cursor, self._places, frozenset())
        except OSError as fault:
            raise RecordsUnavailable(str(fault)) from None

    def forget(self) -> None:
        """Nobody wants to learn of any: whoever wants to later learns of what comes then."""
        self._places = None
        try:
            self._cursor.unlink(missing_ok=True)
        except OSError as fault:
            raise RecordsUnavailable(str(fault)) from None

    def writers(self) -> Sequence[str]:
        """Whose decisions are recorded here."""
        try:
            folders = writer_folders(self._folder, may_be_none=True)
        except (NoRecords, OSError):
            return ()
        return [folder.name for folder in folders if folder.name != self._own]

    def _placed(self, places: dict[str, Place], most: int) -> list[PlacedLine]:
        """The lines there are. A log that cannot be read holds up no other; what it has is told once it can be."""
        placed: list[PlacedLine] = []
        try:
            for line in islice(lines_in_turn(self._folder, places), most):
                placed.append(line)  # noqa: PERF402  # those before a fault count
        except SegmentUnread as fault:
            if str(fault) != self._unread:
                _log.error("refusals behind it are not told until it can be read: %s", fault)
            self._unread = str(fault)
        return placed

    def _begun(self, since: Epoch) -> dict[str, Place]:
        if self._places is None:
            loaded = load_places(self._cursor)
            self._since = Epoch(0.0) if loaded is not None else since
            self._places = loaded[0] if loaded is not None else self._newest_segments()
        return dict(self._places)

    def _newest_segments(self) -> dict[str, Place]:
        newest = {log.folder.name: segments(log.folder)[-1:] for log in log_files(self._folder)}
        return {writer: Place(last[0].name, 0, 0, "") for writer, last in newest.items() if last}


def _refusal(placed: PlacedLine) -> DecisionRecord | None:
    if _MARK not in placed.line.raw:
        return None
    try:
        record = read_record(placed.line.raw)
    except (NotARecord, RecordInvalid) as fault:  # whoever verifies the log learns what became of it
        _log.error("%s line %d holds no record: %s", placed.line.file, placed.line.number, fault)
        return None
    return record if isinstance(record, DecisionRecord) and record.effect is Effect.DENY else None
