"""Logs of several sealed segments, and where they are shipped to."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.records.folder import RecordFolder
from aegis_authz.adapters.records.renewal import RecordKey
from aegis_authz.adapters.records.shipping import Destination, ship_log
from aegis_authz.core.units import Epoch
from aegis_authz.evidence.chain import encode_record
from aegis_authz.evidence.shipping import Shipping
from tests.support.exported_records import payment
from tests.support.memory_bucket import MemoryBucket

KEY = Ed25519PrivateKey.from_private_bytes(b"\x07" * 32)
KEYS = [KEY.public_key().public_bytes_raw()]
NOW = Epoch(1_800_000_000.0)


def grow(folder: Path, numbers: range, key: RecordKey | None = None) -> None:
    """Add records; the seal of a segment is of the time of the record that did not fit into it."""
    log = RecordFolder(folder, folder.name, key or RecordKey(KEY, ()), 4000)
    log.take_lock()
    log.open(Epoch(1000.0 * numbers.start))
    for number in numbers:
        log.commit([encode_record(payment(number))], Epoch(1000.0 * number))
    log.close()


def destination(bucket: MemoryBucket, prefix: str = "gw-0/", mode: str = "COMPLIANCE", days: int = 200) -> Destination:
    return Destination(bucket, prefix, mode, days)


def shipped(folder: Path, place: Destination, is_dry: bool = False) -> list[Shipping]:
    return list(ship_log(folder, KEYS, place, NOW, is_dry))
