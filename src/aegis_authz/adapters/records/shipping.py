"""Sealed segments of a log on their way to a store of objects: proven, sent, and read back before they count."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from aegis_authz import durable
from aegis_authz.adapters.records.compression import finished_segments, segments_locked
from aegis_authz.adapters.records.files import label
from aegis_authz.adapters.records.proven_segment import SegmentNotProven, prove_segment
from aegis_authz.adapters.records.segments import Segment
from aegis_authz.adapters.records.tombstones import TOMBSTONE, read_beginning
from aegis_authz.core.units import Epoch
from aegis_authz.evidence.shipping import (
    LedgerInvalid,
    Shipment,
    Shipping,
    encode_shipment,
    read_ledger,
    segment_key,
    tombstone_key,
)
from aegis_authz.ports.object_store import (
    ObjectLock,
    ObjectMissing,
    ObjectStore,
    ObjectTaken,
    ObjectTooLarge,
    StoreUnavailable,
)

LEDGER = "shipped.jsonl"
_DAY = 86_400
_PREFIX = "give each machine a prefix of its own"


@dataclass(frozen=True, slots=True)
class Destination:
    """Where segments go: the store, the prefix of their keys, and the lock's mode and days from when they are sent."""

    store: ObjectStore
    prefix: str
    mode: str
    days: int

    def lock(self, now: Epoch) -> ObjectLock:
        """The lock of what is sent at that moment."""
        return ObjectLock(self.mode, Epoch(math.ceil(now) + self.days * _DAY))


def shipments(folder: Path, destination: Destination) -> dict[int, Shipment]:
    """What the ledger of the log in `folder` says was shipped there, by segment. Raises LedgerInvalid, OSError."""
    place = f"{destination.prefix}{folder.name}/"
    try:
        with (folder / LEDGER).open("rb") as file:
            entries = [shipment for shipment in read_ledger(file) if shipment.store == destination.store.name]
    except LedgerInvalid as fault:
        raise LedgerInvalid(f"{label(folder)}{LEDGER} {fault}") from None
    except FileNotFoundError:
        return {}
    return {shipment.segment: shipment for shipment in entries if shipment.key.startswith(place)}


def sealed_segments(folder: Path, keys: Sequence[bytes]) -> list[Segment]:
    """The sealed segments of a log that records stand behind and that are not retired. Raises OSError."""
    retired = read_beginning(folder, keys).last_retired
    return [segment for segment in finished_segments(folder) if segment.number > retired]


def ship_log(
    folder: Path, keys: Sequence[bytes], destination: Destination, now: Epoch, is_dry: bool
) -> Iterator[Shipping]:
    """Ship each sealed segment of the log in `folder` that is not shipped yet, the oldest first, and tell of each.

    A segment is proven by its seal under the raw public `keys` first, and counts as shipped once the store has said its
    SHA-256 and its lock; it is then entered in the ledger. Whatever stops this, the next run goes on from there, and no
    object is written twice. Raises StoreUnavailable, FolderBusy, LedgerInvalid, OSError.
    """
    with segments_locked(folder):  # who compresses waits, and what a segment is in does not change meanwhile
        ledger = shipments(folder, destination)
        open_segments = [segment for segment in sealed_segments(folder, keys) if segment.number not in ledger]
        if not open_segments:
            return
        if not is_dry:
            _ship_tombstone(folder, keys, destination, now, ledger)
        for segment in open_segments:
            yield _ship(segment, keys, destination, now, is_dry)


def _ship(segment: Segment, keys: Sequence[bytes], destination: Destination, now: Epoch, is_dry: bool) -> Shipping:
    file = file_of(segment)
    writer, key = segment.folder.name, segment_key(destination.prefix, segment.folder.name, file.name)

    def outcome(state: str, why: str = "") -> Shipping:
        return Shipping(writer, segment.number, state, key, file.stat().st_size, why)

    try:
        prove_segment(segment, writer, keys)
    except SegmentNotProven as fault:
        return outcome("refused", str(fault))
    if is_dry:
        return outcome("pending")
    try:
        shipment, is_new = send(file, key, segment.number, destination, now)
    except ObjectTaken:
        return outcome(
            "refused", f"another object of that name is there, or one that is not locked any more: {_PREFIX}"
        )
    _enter(segment.folder / LEDGER, shipment)
    return outcome("shipped" if is_new else "found")


def _enter(ledger: Path, shipment: Shipment) -> None:
    """Add a line to the ledger, in the place of one that a crash left without its end."""
    with suppress(FileNotFoundError), ledger.open("r+b") as file:
        file.truncate(file.read().rfind(b"\n") + 1)
    durable.append(ledger, encode_shipment(shipment))


def send(file: Path, key: str, number: int, destination: Destination, now: Epoch) -> tuple[Shipment, bool]:
    """Send a file, and read checksum and lock back; the shipment, and whether it was not there before.

    Raises ObjectTaken where the store has another object of that name, StoreUnavailable, OSError.
    """
    store, lock = destination.store, destination.lock(now)
    sha256 = sha256_of(file)
    present = _present_version(file, key, sha256, destination, now)
    version = present or store.put(key, file, sha256, lock)
    try:
        state = store.state(key, version)
    except ObjectMissing:
        raise StoreUnavailable(f"{store.name}: {key} was sent and is not there") from None
    if (state.size, state.sha256 or _content_sha256(store, key, version, file)) != (file.stat().st_size, sha256):
        raise StoreUnavailable(f"{store.name}: {key} was sent and is not as it was sent")
    if state.lock is None or state.lock.mode != lock.mode or (not present and state.lock.until < lock.until):
        raise StoreUnavailable(f"{store.name}: {key} is there and not locked as it was asked for")
    until, at = int(state.lock.until), int(now)
    shipment = Shipment(number, store.name, key, version, state.size, sha256, state.lock.mode, until, at)
    return shipment, not present


def _present_version(file: Path, key: str, sha256: str, destination: Destination, now: Epoch) -> str:
    """The version of that object which holds these bytes under a lock of this mode that is not over, "" for none."""
    store = destination.store
    for version in store.versions(key):
        if version.key != key or version.is_removal:
            continue
        try:
            state = store.state(key, version.version)
            is_locked = state.lock is not None and state.lock.mode == destination.mode and state.lock.until > now
            if is_locked and sha256 == (state.sha256 or _content_sha256(store, key, version.version, file)):
                return version.version
        except ObjectMissing:  # one without a lock, deleted at this moment
            continue
    return ""


def _content_sha256(store: ObjectStore, key: str, version: str, file: Path) -> str:
    """Of a store that keeps no SHA-256 the one of what it gives back, "" where that is larger than the file."""
    beside = file.with_name(f".{file.name}.read-back")
    try:
        store.read(key, version, beside, file.stat().st_size)
        return sha256_of(beside)
    except ObjectTooLarge:
        return ""
    finally:
        beside.unlink(missing_ok=True)


def _ship_tombstone(
    folder: Path, keys: Sequence[bytes], destination: Destination, now: Epoch, ledger: dict[int, Shipment]
) -> None:
    """Where segments were retired that were never shipped, what comes back begins behind their tombstone."""
    beginning = read_beginning(folder, keys)
    last = beginning.last_retired
    if ledger or not last or beginning.problem:
        return
    key = tombstone_key(destination.prefix, folder.name, last)
    try:
        send(folder / TOMBSTONE, key, last, destination, now)
    except ObjectTaken:
        raise StoreUnavailable(
            f"{destination.store.name}: {key} is another tombstone than {label(folder)}{TOMBSTONE}"
        ) from None


def file_of(segment: Segment) -> Path:
    """The file that holds a segment, in whatever form it is there. Raises FileNotFoundError."""
    for path in segment.paths:
        if path.exists():
            return path
    raise FileNotFoundError(f"{label(segment.folder)}{segment.name} is not there")


def sha256_of(file: Path) -> str:
    """The SHA-256 of a file's bytes, in hex. Raises OSError."""
    with file.open("rb") as source:
        return hashlib.file_digest(source, "sha256").hexdigest()
