"""Sealed segments are compressed where they stand, also while their writer lives: it never touches them again."""

from __future__ import annotations

import fcntl
import gzip
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from aegis_authz import durable
from aegis_authz.adapters.records.folder import FolderBusy
from aegis_authz.adapters.records.segments import MOST_BYTES, Segment, expanded, segments

_LOCK = "segments.lock"
_LEVEL = 6
_BLOCK = 1024 * 1024


class NotCompressed(OSError):
    """What was written does not expand to what was there; the message names the segment, which stays as it was."""


@dataclass(frozen=True, slots=True)
class Compression:
    """A segment that was compressed: whose, its number, and its bytes before and after."""

    writer: str
    segment: int
    before: int
    after: int


@contextmanager
def segments_locked(folder: Path) -> Iterator[None]:
    """Be the only one to compress or retire segments of the log in `folder`. Raises FolderBusy, OSError."""
    with (folder / _LOCK).open("wb") as lock:
        (folder / _LOCK).chmod(0o600)
        try:
            fcntl.flock(lock.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FolderBusy(f"another process compresses, ships or retires segments of {folder}") from None
        yield


def finished_segments(folder: Path) -> list[Segment]:
    """The segments of a log that are followed by records: of these no writer touches a sealed one. Raises OSError."""
    present = segments(folder)
    while present and not present[-1].size():
        present.pop()
    return present[:-1]


def compress_log(folder: Path) -> Iterator[Compression]:
    """Compress what can be of the log in `folder`, the oldest first, each in one step for every reader.

    Raises FolderBusy, NotCompressed, OSError; what was compressed until then stays so.
    """
    with segments_locked(folder):
        for segment in finished_segments(folder):
            is_plain = segment.plain.exists() and segment.plain.stat().st_size <= MOST_BYTES
            if is_plain and segment.is_sealed():
                before, after = _compress(segment)
                yield Compression(folder.name, segment.number, before, after)


def _compress(segment: Segment) -> tuple[int, int]:
    beside = segment.unfinished
    digest, size = hashlib.sha256(), 0
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with open(descriptor, "wb") as target, segment.plain.open("rb") as source:
        # neither name nor time: the same bytes give the same file
        with gzip.GzipFile("", "wb", _LEVEL, target, mtime=0) as packer:
            while block := source.read(_BLOCK):
                packer.write(block)
                digest.update(block)
                size += len(block)
        target.flush()
        os.fsync(target.fileno())
    written = hashlib.sha256()
    with expanded(beside) as file:
        while block := file.read(_BLOCK):
            written.update(block)
    if written.digest() != digest.digest():
        beside.unlink()
        raise NotCompressed(f"{segment.plain} stays as it is: what was compressed of it is not the same")
    after = beside.stat().st_size
    os.replace(beside, segment.compressed)
    durable.sync_folder(segment.folder)
    segment.plain.unlink()  # from here on the compressed one counts
    durable.sync_folder(segment.folder)
    return size, after
