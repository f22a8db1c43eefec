"""Record logs, for the commands that prove and read them."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.adapters.files.keys import RECORDS, RECORDS_PUBLIC, KeyFolderError
from aegis_authz.adapters.records.files import (
    ExpectationInvalid,
    NoRecords,
    ReadRecord,
    find_records,
    last_records,
    load_expected,
    newest_notes,
    verify_folder,
)
from aegis_authz.adapters.records.keys import RecordKeyError, load_public_keys

__all__ = [
    "RECORD_FAULTS",
    "ReadRecord",
    "find_records",
    "last_records",
    "load_expected",
    "newest_notes",
    "record_keys",
    "verify_folder",
]

RECORD_FAULTS = (ExpectationInvalid, KeyFolderError, NoRecords, RecordKeyError, OSError)
"""Everything that can keep a log or its key from being read; the messages are fit to show."""


def record_keys(named: Path | None, folder: Path) -> tuple[bytes, ...]:
    """The raw public keys to verify with: those in the file `named`, or those of the mesh that `folder` belongs to.

    `folder` is `DIR`, `DIR/records` or `DIR/records/<writer>`. Raises RecordKeyError, KeyFolderError, OSError.
    """
    if named is not None:
        return load_public_keys(named)
    for state in (folder, *folder.absolute().parents[:2]):
        for name in (RECORDS_PUBLIC, RECORDS):
            path = state / "keys" / name
            if path.exists():
                return load_public_keys(path)
    raise RecordKeyError(f"no keys/{RECORDS_PUBLIC} beside {folder}; name the public key with --key")
