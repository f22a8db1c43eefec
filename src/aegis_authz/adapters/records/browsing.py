"""Records for readers of pages, by an index that is a control plane's own. Every method blocks; any thread may call."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path

from aegis_authz.adapters.files.keys import KeyFolderError
from aegis_authz.adapters.records.files import (
    ExpectationInvalid,
    NoRecords,
    first_hashes,
    load_anchors,
    log_files,
    verify_folder,
)
from aegis_authz.adapters.records.index import IndexStale, IndexUnusable, RecordIndex
from aegis_authz.adapters.records.keys import RecordKeyError
from aegis_authz.adapters.records.neighbourhood import position_of
from aegis_authz.adapters.records.standstill import Standstill
from aegis_authz.adapters.records.unread import NotKnown
from aegis_authz.core.person import Domain
from aegis_authz.evidence.anchors import NO_ANCHORS, ProvenAnchors
from aegis_authz.evidence.log_report import LogReport
from aegis_authz.evidence.position import ChainPosition
from aegis_authz.evidence.search import (
    IndexedRecord,
    RecordGap,
    RecordPage,
    RecordPlace,
    RecordSearch,
    RecordsUnavailable,
)

_log = logging.getLogger(__name__)
_PATIENCE = 2.0
"""Seconds that a search may take."""
_TRIED_AGAIN = 30.0
"""Seconds until what could not be read is tried again."""
_LOOKED_AGAIN = 30.0
"""Seconds after which logs that seem to stand still are looked at all the same."""
_ANEW = "the index of the records is made anew; try again in a moment"
_NOT_KNOWN = (
    "no record of it is found, and segments that cannot be read may hold it; the control plane's log names them"
)
_UNREADABLE = "the records cannot be read now; the control plane's log says more"


class RecordBrowser:
    """The logs in `folder`, by the index in `index_file`; `keys` reads the raw public keys that logs are sealed with.

    `anchors` is the file that where logs stood is copied to, None for none. Every method raises RecordsUnavailable.
    """

    def __init__(
        self,
        folder: Path,
        index_file: Path,
        keys: Callable[[], Sequence[bytes]],
        anchors: Path | None,
        patience: float = _PATIENCE,
    ) -> None:
        self._folder = folder
        self._index_file = index_file
        self._keys = keys
        self._anchors = anchors
        self._patience = patience
        self._lock = threading.Lock()
        self._is_stale = False
        self._gaps: tuple[RecordGap, ...] = ()
        self._standstill = Standstill(folder)
        self._end: object | None = None
        self._looked_at = 0.0
        self._rest_ends = threading.Event()

    def advance(self, most: int) -> tuple[int, list[IndexedRecord]]:
        """Index at most so many lines that came since the last time; how many came, and their records.

        An index that cannot be used is removed, to be made anew from the next time on. Where all was read and nothing
        has changed since, nothing is opened.
        """
        now = time.monotonic()
        mark = self._mark()
        if self._is_at_end(mark) and now < self._looked_at + _LOOKED_AGAIN:
            return 0, []
        self._end = None
        lines, records = self._advance(most)
        if lines < most and not self._gaps:  # a gap may be read by now, and nothing about the logs says so
            self._end, self._looked_at = mark, now
        return lines, records

    def rest(self, pause: float, most: float) -> None:
        """Return once a log may be another than `advance` read to its end: looked at every `pause` seconds, for `most`
        seconds at most.
        """
        end = time.monotonic() + most
        while not self._rest_ends.wait(pause):
            if time.monotonic() >= end or not self._is_at_end(self._mark()):
                return

    def end_rest(self) -> None:
        """Have `rest` return at once, now and from now on."""
        self._rest_ends.set()

    def _is_at_end(self, mark: object | None) -> bool:
        return mark is not None and mark == self._end and not self._is_stale

    def _mark(self) -> object | None:
        """Another once a log or the index is another; None while that cannot be told."""
        logs = self._standstill.mark(time.time())
        try:
            return None if logs is None else (self._index_file.stat().st_ino, logs)
        except OSError:
            return None

    def _advance(self, most: int) -> tuple[int, list[IndexedRecord]]:
        with self._translated(), self._lock:
            if self._is_stale:
                self._index_file.unlink(missing_ok=True)
                self._is_stale = False
        with self._opened() as index:
            try:
                update = index.update(most)
            except NoRecords:
                self._gaps = ()
                return 0, []  # nobody has written yet
            self._gaps = tuple(RecordGap(gap.name, gap.fault) for gap in index.gaps())
            return update.lines, update.records

    def gaps(self) -> tuple[RecordGap, ...]:
        """The segments that the index left out as it was last brought up to date, for they cannot be read."""
        return self._gaps

    def page(
        self, search: RecordSearch, domains: Collection[Domain], before: RecordPlace | None, count: int
    ) -> RecordPage:
        """At most `count` of the records that are sought, newest first. Raises SearchTooLong, too."""
        with self._opened() as index:
            return index.page(search, domains, before, count, self._patience)

    def of_decision(self, decision_id: str, count: int) -> list[IndexedRecord]:
        """At most `count` records of a decision, oldest first."""
        with self._opened() as index:
            return index.of_decision(decision_id, count)

    def of_approval(self, approval_id: str, count: int) -> list[IndexedRecord]:
        """At most `count` decisions and steps of an approval, oldest first."""
        with self._opened() as index:
            return index.of_approval(approval_id, count)

    def position(self, record: IndexedRecord) -> ChainPosition:
        """Where a record stands in its chain."""
        with self._translated():
            return position_of(self._folder, record, self._keys())

    def verify(self) -> list[LogReport]:
        """Verify every log, against the anchors of the places of which any log is here."""
        with self._translated():
            keys = self._keys()
            anchors = self._anchored(keys)
            here = self._places_here(anchors, keys)
            reports = verify_folder(self._folder, keys, (), anchors.at(here) if here else NO_ANCHORS)
            if reports and (absent := sorted(anchors.places - here)):
                words = f"of {', '.join(absent)} no log is in this folder: those are not verified here"
                reports[0] = replace(reports[0], notes=(*reports[0].notes, words))
            return reports

    def _anchored(self, keys: Sequence[bytes]) -> ProvenAnchors:
        file = self._anchors
        is_begun = file is not None and file.exists() and file.stat().st_size > 0
        return load_anchors(file, keys) if file is not None and is_begun else NO_ANCHORS

    def _places_here(self, anchors: ProvenAnchors, keys: Sequence[bytes]) -> frozenset[str]:
        # logs of other machines may not be here, and their absence is no damage; that of one log beside others is
        folders = [log.folder for log in log_files(self._folder)]
        firsts = {(folder.name, first) for folder in folders for first in first_hashes(folder, keys)}
        here = {anchored.place for anchored in anchors.seals if (anchored.writer, anchored.first) in firsts}
        return frozenset(here)

    @contextmanager
    def _opened(self) -> Iterator[RecordIndex]:
        with self._translated():
            try:
                with self._lock:  # an index is begun once
                    if not self._index_file.exists():
                        self._end = None  # of what was read to its end nothing is in the next one
                    index = RecordIndex(self._folder, self._index_file, _TRIED_AGAIN)
                with closing(index):
                    yield index
            except (IndexStale, IndexUnusable) as fault:
                _log.warning("the index of the records is made anew: %s", fault)
                self._is_stale = True
                raise RecordsUnavailable(_ANEW) from None

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except NoRecords:
            raise RecordsUnavailable("no such records are here, or not yet") from None
        except NotKnown:  # no line of the log: it named the segments as they were left out, and loops ask for ever
            raise RecordsUnavailable(_NOT_KNOWN) from None
        except (OSError, RecordKeyError, KeyFolderError, ExpectationInvalid) as fault:
            _log.error("records cannot be read: %s", fault)
            raise RecordsUnavailable(_UNREADABLE) from None
