"""Sealed segments on their way back: each proven before it is put in place, and nothing there is ever overwritten."""

from __future__ import annotations

import filecmp
import os
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from aegis_authz import durable
from aegis_authz.adapters.records.proven_segment import SegmentNotProven, prove_segment
from aegis_authz.adapters.records.segments import MOST_BYTES, Segment
from aegis_authz.adapters.records.shipping import Destination, file_of
from aegis_authz.adapters.records.tombstones import MOST_BYTES as MOST_TOMBSTONE_BYTES
from aegis_authz.adapters.records.tombstones import TOMBSTONE
from aegis_authz.evidence.shipping import Fetching, read_segment_key, read_tombstone_key, tombstone_key
from aegis_authz.evidence.tombstone import TombstoneInvalid, read_tombstone
from aegis_authz.ports.object_store import ObjectMissing, ObjectTooLarge, ObjectVersion


@dataclass(slots=True)
class StoredLog:
    """The objects of one writer: by segment the versions that may hold it, by the order in which they are tried, and of
    its tombstones.
    """

    writer: str
    segments: dict[int, list[ObjectVersion]] = field(default_factory=dict)
    tombstones: dict[int, list[ObjectVersion]] = field(default_factory=dict)


def stored_logs(destination: Destination) -> tuple[dict[str, StoredLog], list[str]]:
    """What is in the store by writer, and the keys of objects that are none of ours. Raises StoreUnavailable."""
    logs: dict[str, StoredLog] = {}
    foreign: list[str] = []
    for version in destination.store.versions(destination.prefix):
        name = read_segment_key(destination.prefix, version.key)
        tombstone = read_tombstone_key(destination.prefix, version.key)
        if name is not None:
            log = logs.setdefault(name.writer, StoredLog(name.writer))
            log.segments.setdefault(name.segment, []).append(version)
        elif tombstone is not None:
            log = logs.setdefault(tombstone[0], StoredLog(tombstone[0]))
            log.tombstones.setdefault(tombstone[1], []).append(version)
        elif version.key not in foreign:
            foreign.append(version.key)
    return logs, foreign


def fetch_log(log: StoredLog, folder: Path, keys: Sequence[bytes], destination: Destination) -> Iterator[Fetching]:
    """Bring the segments of a log back into `folder`, the oldest first, and tell of each, missing ones among them.

    Each is proven by its seal under the raw public `keys` in a folder of its own first. Where the newest version of an
    object is not what was shipped, an older one that is counts. Raises StoreUnavailable, OSError.
    """
    if not log.segments:
        return
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    numbers = sorted(log.segments)
    first = numbers[0]
    fault = _fetch_tombstone(log, first - 1, folder, keys, destination) if first > 1 else ""
    if fault:
        key = tombstone_key(destination.prefix, log.writer, first - 1)
        yield Fetching(log.writer, first - 1, "missing", key, fault, ())
    for former, number in zip([first - 1, *numbers], numbers, strict=False):
        if former + 1 < number:  # of a gap is told at once: whoever may write there names any number
            missing = f"segments {former + 1} to {number - 1}" if former + 2 < number else f"segment {former + 1}"
            why = f"no object holds {missing} of {log.writer}"
            yield Fetching(log.writer, former + 1, "missing", "", why, ())
        yield _fetch(log.writer, number, log.segments[number], folder, keys, destination)


def _fetch(
    writer: str,
    number: int,
    versions: Sequence[ObjectVersion],
    folder: Path,
    keys: Sequence[bytes],
    destination: Destination,
) -> Fetching:
    faults = []
    for version in versions:
        if version.is_removal:
            faults += [f"{version.key} was deleted: a marker hides its versions"] if version.is_newest else []
            continue
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as beside:
            name = read_segment_key(destination.prefix, version.key)
            segment = Segment(Path(beside), number)
            file = Path(beside) / (name.file if name is not None else segment.name)
            try:
                destination.store.read(version.key, version.version, file, MOST_BYTES)
                prove_segment(segment, writer, keys)
            except ObjectMissing:
                faults.append(f"{version.key} version {version.version} is listed and not there")
            except ObjectTooLarge:
                faults.append(f"{version.key} version {version.version} is larger than {MOST_BYTES} bytes")
            except SegmentNotProven as fault:
                faults.append(f"{version.key} version {version.version} is not segment {number} of {writer}: {fault}")
            else:
                state, why = _placed(segment, file, folder, keys)
                return Fetching(writer, number, state, version.key, why, tuple(faults))
    return Fetching(writer, number, "unproven", versions[0].key, "; ".join(faults), ())


def _placed(segment: Segment, file: Path, folder: Path, keys: Sequence[bytes]) -> tuple[str, str]:
    there = Segment(folder, segment.number)
    try:
        present = file_of(there)
    except FileNotFoundError:
        with file.open("rb") as content:
            os.fsync(content.fileno())
        os.link(file, folder / file.name)  # unlike a rename, never replaces what another process just made
        durable.sync_folder(folder)
        return "fetched", ""
    if is_same(there, segment, keys):
        return "present", ""
    return "different", f"{present} holds something else; it stays as it is"


def is_same(segment: Segment, copy: Segment, keys: Sequence[bytes]) -> bool:
    """Whether both hold the same lines, whatever form each is in, by what their seals say. Raises OSError."""
    if filecmp.cmp(file_of(segment), file_of(copy), shallow=False):
        return True
    writer = segment.folder.name
    try:
        seals = prove_segment(segment, writer, keys), prove_segment(copy, writer, keys)
        return seals[0] == seals[1] and segment.last_line() == copy.last_line()
    except SegmentNotProven:
        return False


def _fetch_tombstone(
    log: StoredLog, segment: int, folder: Path, keys: Sequence[bytes], destination: Destination
) -> str:
    """Put the tombstone of what was never shipped in place; returns why that cannot be, "" when it is there."""
    target = folder / TOMBSTONE
    for version in log.tombstones.get(segment, ()):
        with tempfile.TemporaryDirectory(dir=folder, prefix=".fetch-") as beside:
            file = Path(beside) / TOMBSTONE
            try:
                destination.store.read(version.key, version.version, file, MOST_TOMBSTONE_BYTES)
                read_tombstone(file.read_bytes(), log.writer, keys)
            except (ObjectMissing, ObjectTooLarge, TombstoneInvalid):
                continue
            if durable.create(target, file.read_bytes()) or target.read_bytes() == file.read_bytes():
                return ""
            return f"{target} is another tombstone; it stays as it is"
    return f"no object holds the tombstone for segments 1 to {segment}"
