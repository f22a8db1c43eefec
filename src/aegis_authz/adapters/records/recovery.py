"""Finding the end of a record log when its writer starts: what is sealed stays, what is not is cut off and kept."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aegis_authz import durable
from aegis_authz.adapters.records.segments import Segment, file_name, segments
from aegis_authz.adapters.records.tombstones import read_beginning
from aegis_authz.evidence.chain import Link, NotARecord, read_link, read_members
from aegis_authz.evidence.checkpoint import Checkpoint
from aegis_authz.evidence.notes import Note, trusted_seals

SLOTS = ("checkpoint-a.note", "checkpoint-b.note")
_log = logging.getLogger(__name__)


class LogAltered(Exception):
    """The log is not as its writer sealed it; the message says where and is fit to show."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """Where the sealed part of a log ends: the number of the file, and the offset behind the last sealed line.

    `first` is the number of the file's first record, 0 where there is none, and `began` its time, None where it says
    none; `digest` is that of the bytes until there, and `is_closed` whether the last line is the seal of its segment.
    """

    number: int
    offset: int
    first: int
    began: float | None
    digest: hashlib._Hash
    is_closed: bool


def read_notes(folder: Path, label: str) -> list[Note]:
    """The notes in the folder's slots; a missing slot is an empty note. `label` stands before the slots' names."""
    notes: list[Note] = []
    for slot in SLOTS:
        path = folder / slot
        notes.append(Note(f"{label}{slot}", path.read_bytes() if path.exists() else b""))
    return notes


def read_seals(folder: Path, writer: str, public_key: bytes) -> list[Checkpoint] | None:
    """The checkpoints in the slots, None for a log that was never begun. Raises LogAltered when none can be trusted."""
    notes = read_notes(folder, f"{folder}/")
    if not any(note.raw for note in notes) and not segments(folder):
        return None
    seals, distrusted = trusted_seals(notes, writer, (public_key,))
    if not seals:
        why = "; ".join(f"{note.file}: {why}" for note, why in distrusted)
        raise LogAltered(f"no checkpoint of {writer} can be trusted, so its log cannot be continued ({why})")
    for note, why in distrusted:
        _log.warning("%s is set aside: %s", note.file, why)
    return [seal.checkpoint for seal in seals]


def find_sealed(folder: Path, checkpoint: Checkpoint) -> Sealed:
    """Find the line that `checkpoint` seals. Raises LogAltered when it is missing or another."""
    if checkpoint.size == 0:
        return Sealed(1, 0, 0, None, hashlib.sha256(), False)
    start = b'{"writer":"%b","seq":%d,"prev":"' % (checkpoint.writer.encode("ascii"), checkpoint.size)
    for segment in reversed(segments(folder)):
        path = segment.plain
        if segment.is_encrypted:
            continue  # what its writer may go on with is never encrypted
        with segment.open() as file:
            data = file.read()
        # Anchored at the line's start: inside a line an agent's own parameters could look like this.
        at = 0 if data.startswith(start) else data.rfind(b"\n" + start) + 1
        if at == 0 and not data.startswith(start):
            continue
        end = data.find(b"\n", at) + 1
        _require_sealed(data[at:end], checkpoint, path)
        line = data[: data.find(b"\n") + 1]
        first, began = _link(line, f"the first record in {path}").seq, read_members(line).get("time")
        is_closed = read_members(data[at:end]).get("kind") == "seal"
        moment = began if isinstance(began, float) else None
        return Sealed(segment.number, end, first, moment, hashlib.sha256(data[:end]), is_closed)
    raise LogAltered(f"record {checkpoint.size} is sealed but missing from {folder}: the log was truncated")


def first_hash(folder: Path, keys: Sequence[bytes]) -> str:
    """The hash of the log's first record in hex, "" for a log without any.

    Of a record that was retired a tombstone under one of the raw public `keys` says it. Raises LogAltered when the
    record is damaged, or missing without such a tombstone.
    """
    beginning = read_beginning(folder, keys)
    tombstone = None if beginning.problem else beginning.tombstone
    if tombstone is not None:
        return tombstone.first
    for segment in segments(folder)[:1]:
        try:
            seq, stated, _ = segment.first_hashes()
        except NotARecord as fault:
            raise LogAltered(f"the first record in {segment.plain} is damaged: {fault}") from fault
        if not seq:
            return ""
        if seq != 1:
            why = f" ({beginning.problem})" if beginning.problem else ""
            raise LogAltered(f"the log in {folder} begins with record {seq}, and no tombstone says why{why}")
        return stated.hex()
    return ""


def _link(line: bytes, subject: str) -> Link:
    try:
        return read_link(line)
    except NotARecord as fault:
        raise LogAltered(f"{subject} is damaged: {fault}") from fault


def _require_sealed(line: bytes, checkpoint: Checkpoint, path: Path) -> None:
    link = _link(line, f"record {checkpoint.size} in {path}")
    if not link.is_whole or link.computed != checkpoint.head:
        raise LogAltered(f"record {checkpoint.size} in {path} is not the one that was sealed")


def cut_tail(folder: Path, sealed: Sealed) -> tuple[int, str] | None:
    """Cut off everything behind the sealed part; nobody was ever answered on the strength of it.

    Returns how many bytes were cut and the name of the `.torn` file that keeps them, None when there were none.
    """
    last = folder / file_name(sealed.number)
    later = [segment for segment in segments(folder) if segment.number > sealed.number]
    behind = last.read_bytes()[sealed.offset :] if last.exists() else b""
    tail = b"".join([behind, *map(_content, later)])
    kept_in = _keep(folder, sealed, tail) if tail else ""
    for segment in reversed(later):
        segment.remove()
    if behind or not sealed.is_closed:  # a closed one may have been compressed, and must not be begun again
        with last.open("ab") as file:
            file.truncate(sealed.offset)
            os.fsync(file.fileno())
    durable.sync_folder(folder)
    if not tail:
        return None
    _log.warning("%d unsealed bytes were cut off the log in %s and kept in %s", len(tail), folder, kept_in)
    return len(tail), kept_in


def _content(segment: Segment) -> bytes:
    if segment.is_encrypted:
        return segment.encrypted.read_bytes()
    with segment.open() as file:
        return file.read()


def _keep(folder: Path, sealed: Sealed, tail: bytes) -> str:
    attempt = 0
    while True:
        torn_file = folder / f"{sealed.number:08d}-{sealed.offset}.{attempt}.torn"
        if not torn_file.exists():
            break
        attempt += 1
    durable.replace(torn_file, tail)
    return torn_file.name
