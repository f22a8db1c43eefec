"""Records as they come, for readers who watch: one look at the logs for all of them."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from aegis_authz.control.records.reading import RecordBrowsing
from aegis_authz.core.units import Seconds
from aegis_authz.evidence.search import IndexedRecord, RecordGap, RecordsUnavailable
from aegis_authz.telemetry.standing_trouble import StandingTrouble

_log = logging.getLogger(__name__)
_BATCH = 500
"""Lines that are indexed at once. After as many, the thread rests for as long as that took: an index that is behind
takes half a core at most, and the event loop goes on.
"""
_PAUSE = Seconds(0.5)
_AFTER_FAULT = Seconds(5.0)
_LONGEST_REST = Seconds(10.0)
MOST_RECENT = 400
"""How many of the last records are kept for those who watch."""


@dataclass(frozen=True, slots=True)
class News:
    """What came since somebody looked last, oldest first; `missed` came, too, and is not kept any more."""

    records: tuple[IndexedRecord, ...]
    missed: int
    number: int


class LiveRecords:
    """Brings the index up to date while the control plane runs, and tells those who ask what came."""

    def __init__(self, browsing: RecordBrowsing, pause: Seconds = _PAUSE) -> None:
        """`pause` is how long between two looks whether anything came to logs that are read to their ends."""
        self._browsing = browsing
        self._pause = pause
        self._recent: deque[IndexedRecord] = deque(maxlen=MOST_RECENT)
        self._number = 0
        self._is_begun = False
        self._is_level = False
        self._trouble = StandingTrouble(_log, logging.WARNING)

    def is_level(self) -> bool:
        """Whether the last look found all that was recorded until then."""
        return self._is_level

    @property
    def gaps(self) -> tuple[RecordGap, ...]:
        """The segments that no search finds anything in, for they cannot be read: at the last look."""
        return self._browsing.gaps()

    @property
    def number(self) -> int:
        """How many records came until now. Raises RecordsUnavailable before the first look."""
        if not self._is_begun:
            raise RecordsUnavailable("the records were not looked at yet; try again in a moment")
        return self._number

    def since(self, number: int) -> News:
        """What came after that many. Raises RecordsUnavailable before the first look."""
        count = self.number - number
        records = tuple(self._recent)[-count:] if count > 0 else ()
        return News(records, max(0, count - len(records)), self._number)

    async def watch(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        # a thread of its own that waits by itself: to hand it each look would cost ten times what the look does
        waiting = ThreadPoolExecutor(1, thread_name_prefix="records-live")
        try:
            while True:
                pause = await self.look()
                if self._is_level:
                    await loop.run_in_executor(waiting, self._browsing.rest, self._pause, _LONGEST_REST)
                else:
                    await asyncio.sleep(pause)
        finally:
            self._browsing.end_rest()
            waiting.shutdown(wait=False)

    async def look(self) -> Seconds:
        """Look once; after how many seconds to look again. What hinders it is in the log once."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        try:
            lines, records = await asyncio.to_thread(self._browsing.advance, _BATCH)
        except RecordsUnavailable as fault:
            self._trouble.begin(f"the index of the records is not brought up to date: {fault}")
            self._is_level = False
            return _AFTER_FAULT
        self._trouble.end()
        self._is_begun = True
        self._is_level = lines < _BATCH
        self._recent.extend(records)
        self._number += len(records)
        return Seconds(loop.time() - begin) if lines == _BATCH else self._pause
