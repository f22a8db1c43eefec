"""The durable record log: what is waiting is written together, sealed once, and answered together."""

from __future__ import annotations

import asyncio
import logging
import math
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import NamedTuple, Self

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.files.keys import KeyFolderError
from aegis_authz.adapters.records.folder import FolderBusy, RecordFolder
from aegis_authz.adapters.records.recovery import LogAltered
from aegis_authz.adapters.records.renewal import RecordKey, RecordKeys
from aegis_authz.core.anchor import Head
from aegis_authz.core.cadence import Cadence
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import Record
from aegis_authz.core.refused import Refused
from aegis_authz.evidence.chain import encode_record
from aegis_authz.ports.data_plane import Clock

SEGMENT_AGE = 31 * 86_400.0
"""Seconds after which a segment is closed, full or not, so that what a quiet writer wrote grows old, too."""
_log = logging.getLogger(__name__)
_RETRY_SECONDS = 1.0
_LOCK_PATIENCE = 3.0
_LOCK_PAUSE = 0.05
_LOOK_SECONDS = 1.0
_WINDOW = 0.006  # seconds between commits when much comes
_WORTH = 4.0  # records within a window that are worth waiting for
_LAG = 2 * _WINDOW  # seconds for which records that nobody waits for wait for others: a commit costs much for few, too


class _Batch(NamedTuple):
    """Encoded records that are written together, and who waits for them."""

    records: list[bytes]
    receipts: list[asyncio.Future[None]]


class FileRecordLog:
    """`ports.RecordLog` over `folder`, of which it is the only writer (`DIR/records/<writer>`).

    A thread of its own takes everything that waits, appends it with one write, makes it durable, seals it with a
    signed checkpoint, makes that durable, and then answers all of it. What comes meanwhile is gathered and handed
    over together: waking the thread for each record costs more than writing it. An append lasts until its batch is
    sealed; one whose caller stopped waiting is written all the same. When the disk fails, every waiting append is
    refused, and so is every later one until the log could go back to its last sealed state.
    `signing_key` signs the checkpoints; with `renewal` it is that of now, looked for every second. A segment is
    closed by its seal, and followed by the next, at `max_file_bytes`, and when its first record is `max_segment_age`
    seconds old; at most `max_waiting` records wait at a time.
    """

    def __init__(
        self,
        folder: Path,
        writer: str,
        signing_key: Ed25519PrivateKey,
        clock: Clock,
        *,
        max_file_bytes: int = 64 * 1024 * 1024,
        max_segment_age: float = math.inf,
        max_waiting: int = 8192,
        renewal: RecordKeys | None = None,
    ) -> None:
        record_key = RecordKey(signing_key, ()) if renewal is None else renewal.current
        self._folder = RecordFolder(folder, writer, record_key, max_file_bytes, max_segment_age)
        self._renewal = renewal
        self._looked_at = 0.0
        self._writer = writer
        self._clock = clock
        self._max_waiting = max_waiting
        self._queue: SimpleQueue[_Batch | None] = SimpleQueue()
        self._gathered = _Batch([], [])
        self._is_writing = False
        self._is_pressing = False
        self._pressed_at = -math.inf
        self._lag: asyncio.TimerHandle | None = None
        self._cadence = Cadence(_WINDOW, _WORTH)
        self._waiting = 0
        self._open = False
        self._fault = ""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name=f"records-{writer}", daemon=True)

    async def start(self) -> None:
        """Continue the log, or begin it. Call once, from the event loop that will append.

        Raises FolderBusy when another process writes to it, LogAltered when its sealed part was changed, OSError.
        """
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._take_folder)
        self._thread.start()
        self._open = True

    async def close(self) -> None:
        """Write what waits and a final checkpoint, then give the folder back. Later appends are refused."""
        if self._open:
            self._open = False
            self._hand_over()
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def ready(self) -> bool:
        """Whether the log is open for appends."""
        return self._open

    @property
    def trouble(self) -> str:
        """Why the next append must be expected to fail, in words fit to show; "" when it need not."""
        return self._fault if self._open else "the record log is closed"

    def head(self, place: str) -> Head | None:
        """Where the log of this writer, which runs at `place`, stands on the disk; None without a record."""
        return self._folder.head(place)

    async def append(self, record: Record) -> None:
        """Return once the record is durable and sealed. Raises Refused(RECORD_FAILED)."""
        await self._append((record,), is_pressing=True)

    async def append_all(self, records: Sequence[Record]) -> None:
        """Return once all are durable and sealed. Raises Refused(RECORD_FAILED): none of them is kept then.

        Several are of calls that are over: nobody waits for an answer, so they wait a moment for records that somebody
        waits for, where such come, and are written with these. One by itself may be of a caller that waits for it.
        """
        if records:
            await self._append(records, is_pressing=len(records) == 1)

    def _append(self, records: Sequence[Record], is_pressing: bool) -> asyncio.Future[None]:
        if self._loop is None or not self._open:
            raise Refused(Reason.RECORD_FAILED, "the record log is closed")
        if self._waiting + len(records) > self._max_waiting:
            raise Refused(Reason.RECORD_FAILED, "too many records wait to be written")
        try:
            encoded = [encode_record(record) for record in records]
        except ValueError as fault:
            raise Refused(Reason.RECORD_FAILED, str(fault)) from fault
        receipt = self._loop.create_future()
        self._waiting += len(encoded)
        self._gathered.records.extend(encoded)
        self._gathered.receipts.append(receipt)
        now = self._loop.time()
        self._cadence.came(now)
        if is_pressing:
            self._is_pressing, self._pressed_at = True, now
        if not self._is_writing:
            self._schedule(self._loop)
        return receipt

    def _schedule(self, loop: asyncio.AbstractEventLoop) -> None:
        """Have what is gathered written: at once, or in a moment when much comes, for to be durable costs by the time.

        What nobody waits for is written with the next that somebody waits for, or once its time is over. Where none of
        these came lately there is none to wait for: Envoy's next message waits until this one is settled.
        """
        now = loop.time()
        if not self._is_pressing and now - self._pressed_at < _LAG:
            self._lag = self._lag or loop.call_later(_LAG, self._end_lag)
            return
        self._is_writing = True
        begins = self._cadence.next_start(now)
        if begins > now:
            loop.call_at(begins, self._hand_over)
        else:
            loop.call_soon(self._hand_over)

    def _end_lag(self) -> None:
        """Have what waited for others written without them, if it still waits; from the event loop."""
        self._lag = None
        self._is_pressing = bool(self._gathered.records)
        if self._is_pressing and not self._is_writing and self._loop is not None:
            self._schedule(self._loop)

    def _hand_over(self) -> None:
        """Give the thread all that was gathered; from the event loop."""
        if self._gathered.records and self._loop is not None:
            batch, self._gathered, self._is_pressing = self._gathered, _Batch([], []), False
            self._cadence.began(self._loop.time())
            self._queue.put(batch)

    def _take_folder(self) -> None:
        give_up = time.monotonic() + _LOCK_PATIENCE
        while True:
            try:
                self._folder.take_lock()
                break
            except FolderBusy:
                # The writer before us may still be closing, and a verification looks at the lock for a moment.
                if time.monotonic() > give_up:
                    raise
                time.sleep(_LOCK_PAUSE)
        try:
            self._folder.open(self._clock.now())
        except BaseException:
            self._folder.release()
            raise

    def _run(self) -> None:
        while (batch := self._take()) is not None:
            problem = self._commit(batch.records)
            if batch.records:
                self._answer(batch, problem)
            self._folder.digest_written()
        try:
            if self._fault:
                self._folder.repair()
            self._folder.close()
        except (OSError, LogAltered):
            _log.exception("the record log of %s could not write its final checkpoint", self._writer)
            self._folder.release()

    def _take(self) -> _Batch | None:
        """What is to be written next, None when nothing more comes. Empty when it is time to look at fault and key."""
        try:
            return self._queue.get(timeout=_RETRY_SECONDS if self._fault or self._renewal is not None else None)
        except Empty:
            return _Batch([], [])

    def _commit(self, records: list[bytes]) -> str:
        """Write and seal the records, after a repair when the log had failed.

        Returns what went wrong, "" for nothing.
        """
        try:
            if self._fault:
                self._folder.repair()
            self._renew()
            if records:
                self._folder.commit(records, self._clock.now())
            else:
                self._folder.close_when_due(self._clock.now())
        except (OSError, LogAltered) as fault:
            return self._failed(fault.strerror or str(fault) if isinstance(fault, OSError) else str(fault))
        except Exception as fault:  # noqa: BLE001 - the thread must live, or every later append would wait in vain
            return self._failed(f"{type(fault).__name__} in the writer")
        if self._fault:
            _log.warning("the record log of %s writes again", self._writer)
            self._fault = ""
        return ""

    def _renew(self) -> None:
        """Go on with the key of now. One that the key so far does not vouch for is not taken."""
        if self._renewal is None or time.monotonic() < self._looked_at + _LOOK_SECONDS:
            return
        self._looked_at = time.monotonic()
        try:
            record_key = self._renewal.renewed()
        except KeyFolderError as fault:
            _log.warning(
                "the key of records cannot be looked at, so the log of %s keeps its own: %s", self._writer, fault
            )
            return
        if record_key is None:
            return
        if self._folder.renew(record_key, self._clock.now()):
            _log.warning("the log of %s is sealed with another key from now on", self._writer)
        else:
            _log.error("the key of records is another, and no succession leads to it: %s keeps its own", self._writer)

    def _failed(self, problem: str) -> str:
        if problem != self._fault:
            _log.error("the record log of %s cannot write: %s", self._writer, problem, exc_info=True)
        self._fault = problem
        return problem

    def _answer(self, batch: _Batch, problem: str) -> None:
        if self._loop is None:
            raise RuntimeError("the log was never started")
        try:
            self._loop.call_soon_threadsafe(self._resolve, batch, problem)
        except RuntimeError:
            count = len(batch.records)
            _log.warning("%d records of %s were waited for by an event loop that is closed", count, self._writer)

    def _resolve(self, batch: _Batch, problem: str) -> None:
        self._waiting -= len(batch.records)
        for receipt in batch.receipts:
            if receipt.done():  # its caller stopped waiting
                continue
            if problem:
                receipt.set_exception(Refused(Reason.RECORD_FAILED, problem))
            else:
                receipt.set_result(None)
        self._is_writing = False
        if self._gathered.records and self._loop is not None:
            self._schedule(self._loop)
