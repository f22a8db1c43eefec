"""Reading record logs from their folders, also while their writers live."""

from __future__ import annotations

import fcntl
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from aegis_authz.adapters.records.encrypted_check import check_encrypted
from aegis_authz.adapters.records.folder import LOCK
from aegis_authz.adapters.records.recovery import SLOTS, read_notes
from aegis_authz.adapters.records.roster import load_roster, roster_file
from aegis_authz.adapters.records.segments import Segment, segments
from aegis_authz.adapters.records.tombstones import TOMBSTONE, LogBeginning, read_beginning
from aegis_authz.adapters.records.unread import SegmentDamaged, SegmentLocked, read_the_rest
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.evidence.anchors import NO_ANCHORS, AnchoredSeal, ProvenAnchors, prove_anchors
from aegis_authz.evidence.chain import NotARecord
from aegis_authz.evidence.checkpoint import Checkpoint, CheckpointInvalid, read_checkpoint, split_notes
from aegis_authz.evidence.log_report import LogLine, LogReport
from aegis_authz.evidence.notes import Note, Seal, is_foreign, trusted_seals
from aegis_authz.evidence.roster import Roster, RosterInvalid
from aegis_authz.evidence.sealed_log import SealedLogCheck
from aegis_authz.evidence.verify import LogCheck

_SEAL_PATIENCE = 3.0
_SEAL_PAUSE = 0.01
_MOST_RETIREMENTS = 5


class NoRecords(Exception):
    """There is no record log where one was looked for; the message names the folder."""


class ExpectationInvalid(Exception):
    """A file of checkpoints or anchors kept elsewhere cannot be used; the message says why."""


@dataclass(frozen=True, slots=True)
class LogFiles:
    """The lines of one log, read from either end; a line that is not ended yet is one, too."""

    folder: Path

    def oldest_first(self) -> Iterator[LogLine]:
        """Every line in order. Raises OSError; SegmentUnread behind the last line that can be read."""
        return read_the_rest(map(_lines, segments(self.folder)))

    def newest_first(self) -> Iterator[LogLine]:
        """Every line, the last one first; only what is taken is read whole. Raises as `oldest_first` does."""
        return read_the_rest(map(_lines_backwards, reversed(segments(self.folder))))

    def newest_unbroken(self) -> Iterator[LogLine]:
        """The same, for whom nothing may be left out: raises SegmentUnread before what stands before such a segment."""
        return chain.from_iterable(map(_lines_backwards, reversed(segments(self.folder))))


def log_files(folder: Path) -> list[LogFiles]:
    """The logs in `folder`, which holds one folder a writer, or is itself one. Raises NoRecords, OSError."""
    return [LogFiles(path) for path in writer_folders(folder)]


def writer_folders(folder: Path, may_be_none: bool = False) -> list[Path]:
    """The logs in `folder`, which holds one folder a writer, or is itself one. Raises NoRecords, OSError."""
    if not folder.is_dir():
        raise NoRecords(f"{folder} is not a folder")
    folders = (
        [folder] if _is_log(folder) else [path for path in sorted(folder.iterdir()) if path.is_dir() and _is_log(path)]
    )
    if not folders and not may_be_none:
        raise NoRecords(f"{folder} holds no record log")
    return folders


def load_expected(path: Path, keys: Sequence[bytes]) -> list[Checkpoint]:
    """The checkpoints in a file that `aegis audit checkpoint` wrote. Raises ExpectationInvalid, OSError."""
    try:
        return [_signed_by_any(note, keys) for note in split_notes(path.read_bytes())]
    except CheckpointInvalid as fault:
        raise ExpectationInvalid(f"{path}: {fault}") from fault


def load_anchors(path: Path, keys: Sequence[bytes], places: Collection[str] = ()) -> ProvenAnchors:
    """What a file of anchors proves under the raw public `keys`, of writers at these places, or of all.

    A file without an anchor, or without any of a place that is asked for, would prove whatever is there: neither is
    taken. Raises ExpectationInvalid, OSError.
    """
    with path.open("rb") as file:
        lines = (LogLine(path.name, number, raw) for number, raw in enumerate(file, start=1))
        anchors = prove_anchors(lines, keys)
    if anchors == NO_ANCHORS:
        raise ExpectationInvalid(f"{path} holds no anchor")
    if strange := sorted(set(places) - anchors.places):
        raise ExpectationInvalid(f"{path} holds no anchor of {', '.join(strange)}")
    return anchors.at(places)


def verify_folder(
    folder: Path,
    keys: Sequence[bytes],
    expected: Sequence[Checkpoint] = (),
    anchors: ProvenAnchors = NO_ANCHORS,
    is_sealed_alone: bool = False,
) -> list[LogReport]:
    """Verify every log in `folder` with whichever of the raw public `keys` signed it.

    `expected` are checkpoints kept elsewhere; a log they, the anchors or the roster know and that is gone counts as
    damaged, and so does a missing roster. Of a single log the roster is not looked at, nor the anchors of other
    writers. Logs may be written to meanwhile. With `is_sealed_alone` the folder holds nothing but sealed segments, as
    they come back from a store: each log ends in a seal, and has neither checkpoints nor a roster.
    Raises NoRecords, OSError.
    """
    reports: list[LogReport] = []
    if folder.is_dir() and _is_log(folder):
        anchors = anchors.of(folder.name)
    anchored = anchors.seals
    rosters = (
        []
        if is_sealed_alone or not folder.is_dir() or _is_log(folder)
        else [(key, _roster(folder, key)) for key in keys]
    )
    folders = writer_folders(folder, bool(anchored) or any(roster is not None for _, roster in rosters))
    matched: set[AnchoredSeal] = set()
    for path in folders:
        of_writer = [checkpoint for checkpoint in expected if checkpoint.writer == path.name]
        firsts = first_hashes(path, keys)
        of_log = [seal for seal in anchored if seal.writer == path.name and seal.first in firsts]
        matched.update(of_log)
        reports.append(_verify_writer(path, keys, of_writer, [known.seal for known in of_log], is_sealed_alone))
    names = {path.name for path in folders}
    # of a log that is known elsewhere, and of which no sealed segment is here, none may be sealed yet
    lost = {} if is_sealed_alone else {point.writer: point for point in expected if point.writer not in names}
    reports.extend(LogReport.of_a_missing_log(checkpoint, keys[0]) for checkpoint in lost.values())
    lacking = [seal for seal in anchored if seal not in matched and not (is_sealed_alone and seal.writer not in names)]
    reports.extend(_unmatched(lacking, keys[0]))
    reports.extend(LogReport.without_lines("anchors", keys[0], fault) for fault in anchors.faults)
    if anchors.foreign:
        foreign = ", ".join(f"{writer} at {place}" for place, writer in anchors.foreign)
        reports.append(LogReport.without_lines("anchors", keys[0], f"{_FOREIGN} {foreign}", is_foreign=True))
    for key, roster in rosters:
        reports = _compared(roster, roster_file(folder, key).name, key, reports)
    return reports


def first_hashes(folder: Path, keys: Sequence[bytes]) -> set[str]:
    """The hash of the log's first record, as it is and as it states it: by one of them its anchors know the log.

    A tombstone under the raw public `keys` says it of a record that was retired. Raises OSError.
    """
    beginning = read_beginning(folder, keys)
    if beginning.tombstone is not None and not beginning.problem:
        return {beginning.tombstone.first}
    for segment in segments(folder)[:1]:
        try:
            seq, *hashes = segment.first_hashes()
        except (NotARecord, SegmentDamaged):
            return set()
        return {digest.hex() for digest in hashes} if seq else set()
    return set()


def _unmatched(seals: Sequence[AnchoredSeal], key: bytes) -> Iterator[LogReport]:
    """A report on each log that anchors know and that is not there, by the newest anchor of it."""
    newest: dict[tuple[str, str], AnchoredSeal] = {}
    for seal in seals:
        name = (seal.writer, seal.first)
        if name not in newest or seal.seal.checkpoint.size >= newest[name].seal.checkpoint.size:
            newest[name] = seal
    for anchored in newest.values():
        known, place = anchored.seal, anchored.place
        words = f"the log of {place} is missing, or another was begun in its place: it seals {known.checkpoint.size}"
        words += " records"
        yield LogReport.without_lines(anchored.writer, key, words, known.file)


def _roster(folder: Path, key: bytes) -> Roster | RosterInvalid | None:
    try:
        return load_roster(folder, key)
    except RosterInvalid as fault:
        return fault


def _compared(
    roster: Roster | RosterInvalid | None, name: str, key: bytes, reports: Sequence[LogReport]
) -> list[LogReport]:
    """The reports, with what the roster of a key has to say."""
    own = {report.writer for report in reports if report.sealed and thumbprint(key) in report.sealing_ids}
    reached = {report.writer for report in reports if thumbprint(key) in report.key_ids}
    if isinstance(roster, RosterInvalid):
        return [*reports, LogReport.without_lines(name, key, f"the roster of writers cannot be trusted: {roster}")]
    if roster is None:
        return [*reports, LogReport.without_lines(name, key, _NO_ROSTER)] if own else list(reports)
    present = {report.writer for report in reports if report.is_intact or (report.sealed and not report.is_foreign)}
    missing = sorted(roster.names - {report.writer for report in reports})
    all_reports = [*reports, *(LogReport.without_lines(writer, key, _MISSING) for writer in missing)]
    behind = sorted(({*roster.writers} & present) - reached)
    all_reports += [LogReport.without_lines(writer, key, _NOT_REACHED) for writer in behind]
    if unknown := sorted(own - {*roster.writers}):
        sentence = f"the roster of writers lacks {', '.join(unknown)}: it was rolled back"
        all_reports.append(LogReport.without_lines(name, key, sentence))
    if roster.begun_at and all_reports:
        all_reports[0] = replace(all_reports[0], notes=(*all_reports[0].notes, _BEGUN_ANEW))
    return all_reports


_UNREAD = "encrypted segments were not opened: their order, number and hashes are proven, not what their records say;"
_FOREIGN = "other keys than those given signed what is anchored of"
_MISSING = "the whole log is missing; the roster of writers names it"
_NOT_REACHED = "it ends before the key of a roster that names it seals anything: it was truncated or rolled back"
_NO_ROSTER = "the roster of writers is missing: it was removed, or no writer has started since writers keep one"
_BEGUN_ANEW = "the roster of writers was made anew beside records: of writers removed before that it knows nothing"


def newest_notes(folder: Path, keys: Sequence[bytes]) -> dict[str, bytes]:
    """The newest trusted checkpoint note of every log, by writer. Raises CheckpointInvalid, NoRecords, OSError."""
    newest: dict[str, bytes] = {}
    for path in writer_folders(folder):
        notes = _read_notes(path)
        seals, distrusted = trusted_seals(notes, path.name, keys)
        if not seals:
            raise CheckpointInvalid("; ".join(f"{note.file}: {why}" for note, why in distrusted))
        best = max(seals, key=lambda seal: seal.checkpoint.size)
        newest[path.name] = next(note.raw for note in notes if note.file == best.file)
    return newest


def _verify_writer(
    folder: Path,
    keys: Sequence[bytes],
    expected: Sequence[Checkpoint],
    anchored: Sequence[Seal],
    is_sealed_alone: bool,
) -> LogReport:
    for _ in range(_MOST_RETIREMENTS):
        beginning = read_beginning(folder, keys)
        try:
            report = _verify_behind(beginning, folder, keys, expected, anchored, is_sealed_alone)
        except FileNotFoundError:
            continue  # retired at this moment
        if read_beginning(folder, keys).note == beginning.note:
            return report
    raise NoRecords(f"segments of {folder} are retired again and again while they are read")


def _verify_behind(
    beginning: LogBeginning,
    folder: Path,
    keys: Sequence[bytes],
    expected: Sequence[Checkpoint],
    anchored: Sequence[Seal],
    is_sealed_alone: bool,
) -> LogReport:
    live = _is_live(folder)
    notes = _steady_notes(folder, keys) if live else _read_notes(folder)
    is_unproven = beginning.is_foreign and is_foreign(notes, keys)  # nothing of the log is proven, and that is all
    if beginning.is_foreign and not is_unproven:
        beginning = replace(beginning, tombstone=None)
    check = (
        SealedLogCheck(folder.name, keys, expected, anchored, beginning.tombstone)
        if is_sealed_alone
        else LogCheck(folder.name, keys, notes, expected, anchored, beginning.tombstone)
    )
    if beginning.problem and not is_unproven:
        check.add_damage(f"{label(folder)}{TOMBSTONE}", f"it cannot be trusted: {beginning.problem}")
    locked: list[str] = []
    for segment in beginning.segments(folder):
        if segment.is_encrypted:
            locked.append(check_encrypted(segment, f"{label(folder)}{segment.name}", check, keys))
            continue
        try:
            for line in _lines(segment):
                if live and not line.raw.endswith(b"\n"):
                    break  # being written at this moment
                check.add(line)
        except SegmentLocked:  # encrypted at this moment
            locked.append(check_encrypted(segment, f"{label(folder)}{segment.name}", check, keys))
        except SegmentDamaged as fault:
            check.add_damage(f"{label(folder)}{segment.name}", str(fault))
    if unread := [why for why in locked if why]:
        check.add_note(f"{len(unread)} {_UNREAD} {unread[0]}")
    return check.conclude(_sealed_since(folder, keys, check.seq) if live else None)


def _steady_notes(folder: Path, keys: Sequence[bytes]) -> list[Note]:
    """The notes of a log that is written to: read again when a slot was caught half written."""
    give_up = time.monotonic() + _SEAL_PATIENCE
    while True:
        notes = _read_notes(folder)
        _, distrusted = trusted_seals(notes, folder.name, keys)
        if not distrusted or time.monotonic() > give_up:
            return notes
        time.sleep(_SEAL_PAUSE)


def _sealed_since(folder: Path, keys: Sequence[bytes], seq: int) -> list[Note]:
    """The notes once they cover record `seq`: a living writer seals what it wrote in a moment.

    Else as they are at last.
    """
    give_up = time.monotonic() + _SEAL_PATIENCE
    while True:
        notes = _read_notes(folder)
        seals, _ = trusted_seals(notes, folder.name, keys)
        if any(seal.checkpoint.size >= seq for seal in seals) or time.monotonic() > give_up:
            return notes
        time.sleep(_SEAL_PAUSE)


def _lines(segment: Segment) -> Iterator[LogLine]:
    name = f"{label(segment.folder)}{segment.name}"
    with segment.open() as file:
        for number, raw in enumerate(file, start=1):
            yield LogLine(name, number, raw)


def _lines_backwards(segment: Segment) -> Iterator[LogLine]:
    name = f"{label(segment.folder)}{segment.name}"
    return (LogLine(name, number, raw) for number, raw in segment.newest_first())


def _read_notes(folder: Path) -> list[Note]:
    return read_notes(folder, label(folder))


def label(folder: Path) -> str:
    """How messages name the files of a log: its writer, and the folder it is in."""
    return f"{folder.parent.name}/{folder.name}/" if folder.parent.name else f"{folder.name}/"


def _signed_by_any(note: bytes, keys: Sequence[bytes]) -> Checkpoint:
    for key in keys[:-1]:
        try:
            return read_checkpoint(note, key)
        except CheckpointInvalid:
            continue
    return read_checkpoint(note, keys[-1])


def _is_log(folder: Path) -> bool:
    return any((folder / slot).exists() for slot in SLOTS) or bool(segments(folder))


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
