"""Records as they come, for readers who watch: one look at the logs for all of them."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from aegis_authz.control.records.reading import RecordBrowsing
from aegis_authz.core.units import Seconds
from aegis_authz.evidence.search import IndexedRecord, RecordsUnavailable

_log = logging.getLogger(__name__)
_BATCH = 500
"""Lines that are indexed at once. After as many, the thread rests for as long as that took: an index that is behind
takes half a core at most, and the event loop goes on.
"""
_PAUSE = Seconds(0.5)
_AFTER_FAULT = Seconds(5.0)
_MOST_WAITING = 200
_MOST_OF_READER, _MOST = 6, 200


class TooManyWatch(Exception):
    """So many watch already that nobody else can; the message says whose watches are too many."""


class Watching:
    """What came since somebody looked last. `missed` counts what was dropped, for who looks too seldom."""

    def __init__(self) -> None:
        self._new: deque[IndexedRecord] = deque(maxlen=_MOST_WAITING)
        self._wake = asyncio.Event()
        self.missed = 0
        self.is_over = False

    def put(self, records: Sequence[IndexedRecord]) -> None:
        """Add what came."""
        self.missed += max(0, len(self._new) + len(records) - _MOST_WAITING)
        self._new.extend(records)
        self._wake.set()

    def end(self) -> None:
        """Nothing comes any more."""
        self.is_over = True
        self._wake.set()

    async def take(self, patience: Seconds) -> list[IndexedRecord]:
        """What came, at once or within `patience` seconds; nothing where nothing did, or it is over."""
        try:
            async with asyncio.timeout(patience):
                await self._wake.wait()
        except TimeoutError:
            return []
        records = [*self._new]
        self._new.clear()
        if not self.is_over:
            self._wake.clear()
        return records


class LiveRecords:
    """Brings the index up to date while the control plane runs, and tells those who watch what came."""

    def __init__(self, browsing: RecordBrowsing, pause: Seconds = _PAUSE) -> None:
        """`pause` is how long between two looks at logs that are read to their ends."""
        self._browsing = browsing
        self._pause = pause
        self._watching: list[Watching] = []
        self._readers: Counter[str] = Counter()
        self._trouble = ""
        self._is_over = False

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            pause = await self.look()
            await asyncio.sleep(pause)

    async def look(self) -> Seconds:
        """Look once; after how many seconds to look again. What hinders it is in the log once."""
        loop = asyncio.get_running_loop()
        begin = loop.time()
        try:
            lines, records = await asyncio.to_thread(self._browsing.advance, _BATCH)
        except RecordsUnavailable as fault:
            if str(fault) != self._trouble:
                _log.warning("the index of the records is not brought up to date: %s", fault)
            self._trouble = str(fault)
            return _AFTER_FAULT
        self._trouble = ""
        for watching in self._watching if records else ():
            watching.put(records)
        return Seconds(loop.time() - begin) if lines == _BATCH else self._pause

    @contextmanager
    def watching(self, reader: str) -> Iterator[Watching]:
        """What comes from now on, until the block ends. Raises TooManyWatch."""
        if self._readers[reader] >= _MOST_OF_READER:
            raise TooManyWatch(f"{reader} watches in {_MOST_OF_READER} places already: close one")
        if len(self._watching) >= _MOST:
            raise TooManyWatch("too many watch already; reload the page to see what is new")
        watching = Watching()
        if self._is_over:
            watching.end()
        self._readers[reader] += 1
        self._watching.append(watching)
        try:
            yield watching
        finally:
            self._watching.remove(watching)
            self._readers[reader] -= 1
            if not self._readers[reader]:
                del self._readers[reader]

    def close(self) -> None:
        """Let those who watch go: the server stops."""
        self._is_over = True
        for watching in self._watching:
            watching.end()
