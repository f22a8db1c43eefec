"""What stands around one line of a log: the line before it, those behind it, and the log's checkpoints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from aegis_authz.adapters.records.files import NoRecords, label, log_files
from aegis_authz.adapters.records.recovery import read_notes
from aegis_authz.adapters.records.segments import Segment
from aegis_authz.adapters.records.tombstones import read_beginning
from aegis_authz.evidence.notes import trusted_seals
from aegis_authz.evidence.position import ChainPosition, chain_position
from aegis_authz.evidence.search import IndexedRecord

_BLOCK = 64 * 1024
_MOST_BEFORE = 64 * _BLOCK
"""Bytes that are looked through for the beginning of the line before: more than any line has."""


def position_of(folder: Path, record: IndexedRecord, keys: Sequence[bytes]) -> ChainPosition:
    """Where a record of the logs in `folder` stands, and what its neighbourhood proves under the raw public `keys`.

    The checkpoints are read first: what a writer seals meanwhile is not missed, for it covers more. Raises NoRecords,
    OSError.
    """
    writer = record.place.writer
    log = next((log.folder for log in log_files(folder) if log.folder.name == writer), None)
    if log is None:
        raise NoRecords(f"{folder} holds no log of {writer}")
    seals, _ = trusted_seals(read_notes(log, label(log)), writer, keys)
    beginning = read_beginning(log, keys)
    files = beginning.segments(log)
    if record.place.file not in {segment.name for segment in files}:
        raise NoRecords(f"{folder} holds record {record.place.line} of {record.place.file} no more")
    tombstone = None if beginning.problem else beginning.tombstone
    number = [segment.name for segment in files].index(record.place.file)
    before = _line_before(files[: number + 1], record.offset)
    behind = _lines_behind(files[number:], record.offset + len(record.raw))
    return chain_position(writer, record.raw, before, behind, [seal.checkpoint for seal in seals], keys, tombstone)


def _line_before(files: Sequence[Segment], offset: int) -> bytes | None:
    """The line that ends at `offset` of the last of these files, or at the end of the one before."""
    for segment in reversed(files):
        if segment != files[-1] and segment.is_encrypted:
            return segment.last_line()  # known without its key
        with segment.open_anywhere() as file:
            end = offset if segment == files[-1] else file.seek(0, 2)
            if end == 0:
                continue  # a file begins here: the line before is the last of the file before
            data = b""
            while end > 0 and data[:-1].count(b"\n") == 0 and len(data) < _MOST_BEFORE:
                start = max(0, end - _BLOCK)
                file.seek(start)
                data = file.read(end - start) + data
                end = start
            return data[data[:-1].rfind(b"\n") + 1 :]
    return None


def _lines_behind(files: Sequence[Segment], offset: int) -> Iterator[bytes]:
    for segment in files:
        with segment.open() as file:
            file.seek(offset if segment == files[0] else 0)
            yield from file
