"""One writer's folder on disk: its lock, its files of lines, its two checkpoint slots.

    DIR/records/<writer>/lock                  held while a writer lives
                         00000001.jsonl ...    the lines; a segment that is full ends in its seal
                         checkpoint-a.note     the newest signed checkpoint and the one before,
                         checkpoint-b.note     written in turn
                         *.torn                unsealed tails cut off at a restart

The slots are overwritten and no history of them is kept: who wants to roll the log back needs a note he
saved earlier and cannot cut one out of a file. Nothing here knows of threads or event loops; one thread owns it.
"""

from __future__ import annotations

import fcntl
import hashlib
import math
import os
from collections.abc import Sequence
from pathlib import Path

from aegis_authz import durable
from aegis_authz.adapters.records.recovery import (
    SLOTS,
    LogAltered,
    cut_tail,
    find_sealed,
    first_hash,
    read_seals,
)
from aegis_authz.adapters.records.renewal import RecordKey
from aegis_authz.adapters.records.roster import enrol, require_new
from aegis_authz.adapters.records.segments import file_name
from aegis_authz.core.anchor import Head
from aegis_authz.core.record import CutRecord, KeyRecord
from aegis_authz.core.units import Epoch
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.evidence.chain import encode_record, genesis, link, require_writer
from aegis_authz.evidence.checkpoint import Checkpoint, sign_checkpoint
from aegis_authz.evidence.segment import sign_seal

LOCK = "lock"
_PROBE = "probe.tmp"
_PROBE_BYTES = 65536
_CHAIN_BYTES = 190
"""What a line has more than its record and the name of its writer, and no more than that."""


class FolderBusy(Exception):
    """Another process writes to the folder; the message names it."""


class RecordFolder:
    """The files of one writer, opened for writing.

    `open` must be called first. Every method may raise OSError; `commit`, `repair` and `close` raise LogAltered
    when the files are not as this writer left them.
    """

    def __init__(
        self, folder: Path, writer: str, record_key: RecordKey, max_file_bytes: int, max_age: float = math.inf
    ) -> None:
        """A segment is closed once it is larger than `max_file_bytes`, or its first record `max_age` seconds old."""
        self._folder = folder
        self._writer = require_writer(writer)
        self._record_key = record_key
        self._key = record_key.key
        self._public_key = record_key.public_key
        self._max_file_bytes = max_file_bytes
        self._max_age = max_age
        self._lock = -1
        self._file = -1
        self._slots: list[int] = []
        self._turn = 0
        self._number = 1
        self._offset = 0
        self._segment_first = 0
        self._began: float = 0.0
        self._digest = hashlib.sha256()
        self._undigested: list[bytes] = []
        self._is_closed = False
        self._checkpoint = Checkpoint(writer, 0, genesis(writer, self._public_key))
        self._first = ""
        self._sealed: tuple[int, bytes] = (0, b"")

    def head(self, place: str) -> Head | None:
        """Where the log stands, as its newest durable checkpoint says; None without a record. Of any thread."""
        size, note = self._sealed
        return Head(place, self._writer, self._first, size, note.decode("utf-8")) if size else None

    def take_lock(self) -> None:
        """Become the folder's only writer, creating the folder. Raises FolderBusy."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(self._folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as fault:
            os.close(lock)
            raise FolderBusy(f"another process writes to {self._folder}") from fault
        self._lock = lock

    def open(self, now: Epoch) -> None:
        """Continue the log, or begin it.

        An unsealed tail, never answered for, is cut off and kept in a `.torn` file, and a record of kind "cut" says so.
        The writer is entered in the roster before it writes anything. Raises LogAltered when the sealed part of the
        log, or the roster, is not there as it was sealed, and when there is no log of a writer that the roster names.
        A log of a key before is continued with the key of now, after a record that says so.
        """
        sealed_by, seals = self._read_seals()
        cut: tuple[int, str] | None = None
        if seals is None:
            require_new(self._folder.parent, self._writer, (self._public_key, *self._record_key.formers()))
        if seals is not None:
            self._checkpoint = max(seals, key=lambda checkpoint: checkpoint.size)
            sealed = find_sealed(self._folder, self._checkpoint)
            cut = cut_tail(self._folder, sealed)
            self._number, self._offset = sealed.number, sealed.offset
            self._segment_first, self._digest = sealed.first, sealed.digest
            self._began = now if sealed.began is None else sealed.began
            if sealed.is_closed:
                self._turn_to_next()
            self._first = first_hash(self._folder, (self._public_key, *self._record_key.formers()))
        if sealed_by == self._public_key:
            self._fill_slots()
        self._open_files(0 if self._offset else os.O_CREAT)
        durable.sync_folder(self._folder)
        if sealed_by != self._public_key:
            self._take_over(self._record_key, sealed_by, now)
        enrol(self._folder.parent, self._writer, self._key, self._checkpoint.size)
        if cut is not None:
            self.commit([encode_record(CutRecord(now, *cut))], now)

    def _read_seals(self) -> tuple[bytes, list[Checkpoint] | None]:
        """The checkpoints of the log and the raw key that signed them; None for a log that was never begun."""
        own = self._public_key
        try:
            return own, read_seals(self._folder, self._writer, own)
        except LogAltered:
            for former in self._record_key.formers():
                try:
                    return former, read_seals(self._folder, self._writer, former)
                except LogAltered:
                    continue
            raise

    def renew(self, record_key: RecordKey, now: Epoch) -> bool:
        """Go on with another key, after a record that says so; whether the key until now vouches for that one."""
        if record_key.path_from(self._public_key) is None:
            return False
        self._take_over(record_key, self._public_key, now)
        return True

    def _take_over(self, record_key: RecordKey, former: bytes, now: Epoch) -> None:
        path = record_key.path_from(former) or ()
        enrol(self._folder.parent, self._writer, record_key.key, self._checkpoint.size, former)
        records = [encode_record(KeyRecord(now, thumbprint(step.successor), step.note)) for step in path]
        self._date(now)
        checkpoint, data = self._append(records)
        note = sign_checkpoint(checkpoint, record_key.key, record_key.public_key)
        durable.replace(self._folder / SLOTS[0], note)
        # from here on a reader finds the next key's seal, so that is the state to go back to
        self._record_key, self._key, self._public_key = record_key, record_key.key, record_key.public_key
        self._advance(checkpoint, data)
        self._sealed = checkpoint.size, note
        durable.replace(self._folder / SLOTS[1], note)
        self._close_files()
        self._open_files()

    def commit(self, records: Sequence[bytes], now: Epoch) -> None:
        """Chain the encoded records, write them, seal them, and return when all of it is durable.

        A segment that is too old or that they do not fit into is closed by its seal first: no group is in two of them.
        """
        self.digest_written()
        self.close_when_due(now, self._length(records))
        self._date(now)
        self._commit(records)

    def digest_written(self) -> None:
        """Take what was written into the digest of its segment, once it was answered for: nobody waits for that."""
        for data in self._undigested:
            self._digest.update(data)
        self._undigested.clear()

    def _date(self, now: Epoch) -> None:
        if self._is_closed or not self._offset:
            self._began = now

    def close_when_due(self, now: Epoch, more: int = 0) -> None:
        """Close the segment by its seal if it is too old, or so many bytes more do not fit into it."""
        is_due = self._offset + more > self._max_file_bytes or now - self._began >= self._max_age
        if self._offset and is_due and not self._is_closed:
            self._close_segment(now)

    def _commit(self, records: Sequence[bytes]) -> None:
        checkpoint, data = self._append(records)
        self._seal(checkpoint)
        self._advance(checkpoint, data)
        self._turn ^= 1

    def _close_segment(self, now: Epoch) -> None:
        """Write the seal, as a record of its own: wherever the machine dies, the log ends before it or behind it."""
        self.digest_written()
        extent = self._segment_first, self._checkpoint.size
        seal = sign_seal(now, self._writer, self._number, extent, self._digest.hexdigest(), self._key)
        self._commit([encode_record(seal)])
        self._is_closed = True

    def _length(self, records: Sequence[bytes]) -> int:
        """How many bytes the lines of the records will be, or a few more."""
        return sum(map(len, records)) + len(records) * (len(self._writer) + _CHAIN_BYTES)

    def _advance(self, checkpoint: Checkpoint, data: bytes) -> None:
        self._checkpoint = checkpoint
        self._offset += len(data)
        self._undigested.append(data)

    def _append(self, records: Sequence[bytes]) -> tuple[Checkpoint, bytes]:
        """Write the records, durable and not sealed yet; returns what is to be sealed and the bytes of their lines."""
        if self._is_closed:
            self._begin_segment()
        seq, head = self._checkpoint.size, self._checkpoint.head
        lines: list[bytes] = []
        for record in records:
            seq += 1
            line, head = link(self._writer, seq, head, record)
            lines.append(line)
            if seq == 1:
                self._first = head.hex()
        data = b"".join(lines)
        if not self._offset:
            self._segment_first = self._checkpoint.size + 1
        _write(self._file, data)
        os.fdatasync(self._file)
        self._require_untouched(self._offset + len(data))
        return Checkpoint(self._writer, seq, head), data

    def repair(self) -> None:
        """After a failed commit: go back to the last sealed state, and prove that the disk takes writes again."""
        self._close_files()
        self._open_files()
        # The slot first: were the lines cut first and the machine died, a note would seal what is not there.
        self._seal(self._checkpoint)
        sealed = find_sealed(self._folder, self._checkpoint)
        if self._offset and (sealed.number, sealed.offset) != (self._number, self._offset):
            raise LogAltered(f"the last sealed record in {self._folder} is not where it was written")
        os.ftruncate(self._file, self._offset)
        os.fdatasync(self._file)
        self._probe()

    def close(self) -> None:
        """Write the final checkpoint into both slots, and give the folder back."""
        try:
            if self._slots:
                self._seal(self._checkpoint)
        finally:
            self.release()

    def release(self) -> None:
        """Give the folder back as it is."""
        self._close_files()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _fill_slots(self) -> None:
        """Put the newest checkpoint into each slot that holds another, so that either may be overwritten next."""
        note = sign_checkpoint(self._checkpoint, self._key, self._public_key)
        for slot in SLOTS:
            path = self._folder / slot
            if path.exists() and path.read_bytes() == note:
                continue
            durable.replace(path, note)
        self._sealed = self._checkpoint.size, note

    def _open_files(self, create: int = 0) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | create
        self._file = os.open(self._path(self._number), flags, 0o600)
        for slot in SLOTS:
            self._slots.append(os.open(self._folder / slot, os.O_WRONLY | os.O_CLOEXEC))

    def _close_files(self) -> None:
        for descriptor in (self._file, *self._slots):
            if descriptor >= 0:
                os.close(descriptor)
        self._file = -1
        self._slots = []

    def _begin_segment(self) -> None:
        before = self._file
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._file = os.open(self._path(self._number + 1), flags, 0o600)
        os.close(before)
        durable.sync_folder(self._folder)
        self._turn_to_next()

    def _turn_to_next(self) -> None:
        self._number += 1
        self._offset = 0
        self._digest = hashlib.sha256()
        self._undigested.clear()
        self._is_closed = False

    def _path(self, number: int) -> Path:
        return self._folder / file_name(number)

    def _seal(self, checkpoint: Checkpoint) -> None:
        slot = self._slots[self._turn]
        note = sign_checkpoint(checkpoint, self._key, self._public_key)
        state = os.fstat(slot)
        if state.st_nlink == 0:
            raise LogAltered(f"a checkpoint in {self._folder} was removed while its log was written")
        if state.st_size > len(note):
            os.ftruncate(slot, len(note))
        if os.pwrite(slot, note, 0) != len(note):
            raise OSError("the checkpoint was written in part only")
        os.fdatasync(slot)
        self._sealed = checkpoint.size, note

    def _require_untouched(self, size: int) -> None:
        """Were the file unlinked, cut or added to by another hand, the disk would not hold what we answer for."""
        state = os.fstat(self._file)
        if state.st_nlink == 0 or state.st_size != size:
            raise LogAltered(f"{self._path(self._number)} was changed while it was written")

    def _probe(self) -> None:
        probe = self._folder / _PROBE
        try:
            with probe.open("wb") as file:
                file.write(bytes(_PROBE_BYTES))
                file.flush()
                os.fsync(file.fileno())
        finally:
            probe.unlink(missing_ok=True)


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
