"""Reading record logs from their folders, also while their writers live."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from aegis_authz.adapters.records.folder import LOCK
from aegis_authz.adapters.records.recovery import SLOTS, read_notes, record_files
from aegis_authz.core.json_value import Json
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.evidence.chain import NotARecord, read_members
from aegis_authz.evidence.checkpoint import Checkpoint, CheckpointInvalid, read_checkpoint, split_notes
from aegis_authz.evidence.verify import Damage, Line, LogCheck, LogReport, Note, trusted_seals

_SEAL_PATIENCE = 3.0
_SEAL_PAUSE = 0.01


class NoRecords(Exception):
    """There is no record log where one was looked for; the message names the folder."""


class ExpectationInvalid(Exception):
    """A file of checkpoints kept elsewhere cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class ReadRecord:
    """One line of a log with its place; `members` is None when it is not readable."""

    writer: str
    file: str
    number: int
    members: Mapping[str, Json] | None


def writer_folders(folder: Path) -> list[Path]:
    """The logs in `folder`, which holds one folder a writer, or is itself one. Raises NoRecords, OSError."""
    if not folder.is_dir():
        raise NoRecords(f"{folder} is not a folder")
    found = (
        [folder] if _is_log(folder) else [path for path in sorted(folder.iterdir()) if path.is_dir() and _is_log(path)]
    )
    if not found:
        raise NoRecords(f"{folder} holds no record log")
    return found


def load_expected(path: Path, keys: Sequence[bytes]) -> list[Checkpoint]:
    """The checkpoints in a file that `aegis audit checkpoint` wrote. Raises ExpectationInvalid, OSError."""
    try:
        return [_signed_by_any(note, keys) for note in split_notes(path.read_bytes())]
    except CheckpointInvalid as fault:
        raise ExpectationInvalid(f"{path}: {fault}") from fault


def verify_folder(folder: Path, keys: Sequence[bytes], expected: Sequence[Checkpoint] = ()) -> list[LogReport]:
    """Verify every log in `folder` with whichever of the raw public `keys` signed it.

    `expected` are checkpoints kept elsewhere; a log they know and that is gone counts as damaged. Logs may be
    written to meanwhile. Raises NoRecords, OSError.
    """
    reports: list[LogReport] = []
    folders = writer_folders(folder)
    for path in folders:
        known = [checkpoint for checkpoint in expected if checkpoint.writer == path.name]
        reports.append(_verify_writer(path, keys, known))
    names = {path.name for path in folders}
    gone = {checkpoint.writer: checkpoint for checkpoint in expected if checkpoint.writer not in names}
    reports.extend(_gone(checkpoint, keys) for checkpoint in gone.values())
    return reports


def newest_notes(folder: Path, keys: Sequence[bytes]) -> dict[str, bytes]:
    """The newest trusted checkpoint note of every log, by writer. Raises CheckpointInvalid, NoRecords, OSError."""
    newest: dict[str, bytes] = {}
    for path in writer_folders(folder):
        notes = _read_notes(path)
        seals, distrusted = trusted_seals(notes, path.name, _key_of(notes, path.name, keys))
        if not seals:
            raise CheckpointInvalid("; ".join(f"{note.file}: {why}" for note, why in distrusted))
        best = max(seals, key=lambda seal: seal.checkpoint.size)
        newest[path.name] = next(note.raw for note in notes if note.file == best.file)
    return newest


def find_records(folder: Path, decision_id: str) -> Iterator[ReadRecord]:
    """Every record of one decision, in every log of `folder`, without verifying. Raises NoRecords, OSError."""
    needle = decision_id.encode("utf-8")
    for path in writer_folders(folder):
        for line in _lines(record_files(path), path):
            if needle in line.raw:
                found = _read(path.name, line)
                if found.members is not None and found.members.get("decision_id") == decision_id:
                    yield found


def last_records(folder: Path, count: int, wanted: Callable[[Mapping[str, Json]], bool]) -> list[ReadRecord]:
    """The last `count` wanted records of all logs in `folder`, oldest first, without verifying.

    Lines that are not readable are among them whatever is wanted. Raises NoRecords, OSError.
    """
    found: list[ReadRecord] = []
    for path in writer_folders(folder):
        newest = (
            _read(path.name, line)
            for file in reversed(record_files(path))
            for line in reversed(list(_lines([file], path)))
        )
        wanted_ones = (one for one in newest if one.members is None or wanted(one.members))
        found.extend(reversed(list(islice(wanted_ones, count))))
    return sorted(found, key=_time)[-count:]


def _time(record: ReadRecord) -> float:
    at = record.members.get("time") if record.members is not None else None
    return float(at) if isinstance(at, (int, float)) else float("inf")


def _read(writer: str, line: Line) -> ReadRecord:
    try:
        return ReadRecord(writer, line.file, line.number, read_members(line.raw))
    except NotARecord:
        return ReadRecord(writer, line.file, line.number, None)


def _verify_writer(folder: Path, keys: Sequence[bytes], expected: Sequence[Checkpoint]) -> LogReport:
    live = _is_live(folder)
    notes = _steady_notes(folder, keys) if live else _read_notes(folder)
    check = LogCheck(folder.name, _key_of(notes, folder.name, keys), notes, expected)
    for line in _lines(record_files(folder), folder):
        if live and not line.raw.endswith(b"\n"):
            break  # being written at this moment
        check.add(line)
    return check.conclude(_sealed_since(folder, keys, check.seq) if live else None)


def _steady_notes(folder: Path, keys: Sequence[bytes]) -> list[Note]:
    """The notes of a log that is written to: read again when a slot was caught half written."""
    give_up = time.monotonic() + _SEAL_PATIENCE
    while True:
        notes = _read_notes(folder)
        _, distrusted = trusted_seals(notes, folder.name, _key_of(notes, folder.name, keys))
        if not distrusted or time.monotonic() > give_up:
            return notes
        time.sleep(_SEAL_PAUSE)


def _sealed_since(folder: Path, keys: Sequence[bytes], seq: int) -> list[Note]:
    """The notes once they cover record `seq`: a living writer seals what it wrote in a moment. Else as they are at last."""
    give_up = time.monotonic() + _SEAL_PATIENCE
    while True:
        notes = _read_notes(folder)
        seals, _ = trusted_seals(notes, folder.name, _key_of(notes, folder.name, keys))
        if any(seal.checkpoint.size >= seq for seal in seals) or time.monotonic() > give_up:
            return notes
        time.sleep(_SEAL_PAUSE)


def _lines(files: Iterable[Path], folder: Path) -> Iterator[Line]:
    for path in files:
        label = f"{_label(folder)}{path.name}"
        with path.open("rb") as file:
            for number, raw in enumerate(file, start=1):
                yield Line(label, number, raw)


def _read_notes(folder: Path) -> list[Note]:
    return read_notes(folder, _label(folder))


def _label(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}/" if folder.parent.name else f"{folder.name}/"


def _key_of(notes: Iterable[Note], writer: str, keys: Sequence[bytes]) -> bytes:
    """The key that signed the log's notes; the first when none did, and the verification will say so."""
    for key in keys:
        if trusted_seals(notes, writer, key)[0]:
            return key
    return keys[0]


def _signed_by_any(note: bytes, keys: Sequence[bytes]) -> Checkpoint:
    for key in keys[:-1]:
        try:
            return read_checkpoint(note, key)
        except CheckpointInvalid:
            continue
    return read_checkpoint(note, keys[-1])


def _gone(checkpoint: Checkpoint, keys: Sequence[bytes]) -> LogReport:
    what = f"the whole log is missing; the checkpoint kept elsewhere seals {checkpoint.size} records"
    damage = Damage(checkpoint.writer, 0, 0, "", what)
    return LogReport(checkpoint.writer, 0, 0, None, None, "", thumbprint(keys[0]), (), (damage,), 1)


def _is_log(folder: Path) -> bool:
    return any((folder / slot).exists() for slot in SLOTS) or bool(record_files(folder))


def _is_live(folder: Path) -> bool:
    """Whether a writer holds the folder's lock. A copy of a log has no writer."""
    lock = folder / LOCK
    if not lock.exists():
        return False
    with lock.open("rb") as file:
        try:
            fcntl.flock(file.fileno(), fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
