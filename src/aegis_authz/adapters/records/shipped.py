"""What a store holds of a log that was shipped to it, asked object by object."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from aegis_authz.adapters.records.fetching import is_same
from aegis_authz.adapters.records.proven_segment import SegmentNotProven, prove_segment
from aegis_authz.adapters.records.segments import MOST_BYTES, Segment
from aegis_authz.adapters.records.shipping import Destination, sealed_segments, shipments
from aegis_authz.core.units import Epoch
from aegis_authz.evidence.shipping import Shipment, ShippedSegment, read_segment_key
from aegis_authz.ports.object_store import ObjectMissing, ObjectTooLarge, ObjectVersion


def shipped_segments(folder: Path, keys: Sequence[bytes], destination: Destination) -> Iterator[ShippedSegment]:
    """Ask the store about each segment of a log that was shipped, and tell of those that were not.

    Asked is what the store says of the versions of the ledger, checksum and lock, and whether each is still the newest.
    Raises StoreUnavailable, LedgerInvalid, OSError.
    """
    ledger = shipments(folder, destination)
    here = {segment.number for segment in sealed_segments(folder, keys)}
    newest = {
        version.key: version
        for version in destination.store.versions(f"{destination.prefix}{folder.name}/")
        if version.is_newest
    }
    for number in sorted({*ledger, *here}):
        shipment = ledger.get(number)
        if shipment is None:
            yield ShippedSegment(folder.name, number, "waiting", "", 0, True, "")
            continue
        why, until = _state_problem(shipment, newest.get(shipment.key), destination)
        state = "damaged" if why else "shipped"
        yield ShippedSegment(folder.name, number, state, shipment.key, until, number in here, why)


def _state_problem(shipment: Shipment, newest: ObjectVersion | None, destination: Destination) -> tuple[str, int]:
    """What is wrong with the object, "" for nothing, and until when it is locked."""
    name = f"{shipment.key} version {shipment.version}"
    try:
        state = destination.store.state(shipment.key, shipment.version)
    except ObjectMissing:
        return f"{name} is missing", 0
    until = int(state.lock.until) if state.lock is not None else 0
    if state.size != shipment.size or state.sha256 not in ("", shipment.sha256):
        return f"{name} was altered: it is not what was shipped", until
    if state.lock is None or until < shipment.until:
        return f"{name} is no longer locked as it was", until
    if newest is None or newest.is_removal:
        return f"{shipment.key} was deleted: a marker hides version {shipment.version}, which is there", until
    if newest.version != shipment.version:
        return f"{shipment.key} was written again: version {shipment.version} is as it was shipped", until
    return "", until


def safe_count(
    folder: Path, numbers: Sequence[int], keys: Sequence[bytes], destination: Destination, now: Epoch
) -> tuple[int, str]:
    """How many of these segments of a log, from the first on, are safe in the store, and why the next is not.

    Each is read back, proven, held against the one that is here, and its lock must last. Raises StoreUnavailable,
    LedgerInvalid, OSError.
    """
    ledger = shipments(folder, destination)
    for count, number in enumerate(numbers):
        if number not in ledger:
            return count, "it is not shipped"
        if why := _difference(Segment(folder, number), ledger[number], keys, destination, now):
            return count, why
    return len(numbers), ""


def _difference(
    segment: Segment, shipment: Shipment, keys: Sequence[bytes], destination: Destination, now: Epoch
) -> str:
    name = read_segment_key(destination.prefix, shipment.key)
    if name is None or (name.writer, name.segment) != (segment.folder.name, segment.number):
        return f"the ledger names {shipment.key}, which is not that segment"
    with tempfile.TemporaryDirectory(dir=segment.folder, prefix=".shipped-") as beside:
        copy = Segment(Path(beside), segment.number)
        try:
            lock = destination.store.state(shipment.key, shipment.version).lock
            file = Path(beside) / name.file
            destination.store.read(shipment.key, shipment.version, file, MOST_BYTES)
            prove_segment(copy, segment.folder.name, keys)
        except ObjectMissing:
            return f"{shipment.key} version {shipment.version} is missing"
        except ObjectTooLarge:
            return f"{shipment.key} version {shipment.version} is larger than any segment"
        except SegmentNotProven as fault:
            return f"{shipment.key} version {shipment.version} is not that segment: {fault}"
        if lock is None or lock.until <= now:
            return f"{shipment.key} version {shipment.version} is not locked"
        return "" if is_same(segment, copy, keys) else f"{shipment.key} holds other lines"
