"""The key of records, replaced while writers run.

records.pem              what seals              records.next.pem     what will seal next
records.successions.note each change of key, signed by the key before
"""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz import durable
from aegis_authz.adapters.files.keys import KeyFolderError, load_ed25519, new_ed25519_pem, publish_record_keys
from aegis_authz.adapters.records.renewal import RecordKey
from aegis_authz.core.units import Epoch
from aegis_authz.encoding.jwk import thumbprint
from aegis_authz.evidence.checkpoint import CheckpointInvalid, split_notes
from aegis_authz.evidence.succession import Succession, SuccessionInvalid, read_succession, sign_succession
from aegis_authz.ports.key_rings import KeyRingFault

SUCCESSIONS = "records.successions.note"
_MAX_BYTES = 1024 * 1024

_Stamp = tuple[int, int, int]


class RecordKeyFile:
    """`adapters.records.renewal.RecordKeys` on the PEM file that a writer is told of, and the successions beside it."""

    def __init__(self, path: Path) -> None:
        """Read the key. Raises KeyFolderError."""
        self._path = path
        self._successions = path.with_name(SUCCESSIONS)
        self._stamp = self._stamp_now()
        self._current = self._load()

    @property
    def current(self) -> RecordKey:
        """The key as it was read last."""
        return self._current

    def renewed(self) -> RecordKey | None:
        """The key that is there now, None while it is the one read last. Raises KeyFolderError."""
        stamp = self._stamp_now()
        if stamp == self._stamp:
            return None
        read = self._load()
        self._stamp, before = stamp, self._current
        self._current = read
        return None if read.public_key == before.public_key else read

    def _stamp_now(self) -> _Stamp:
        try:
            status = self._path.stat()
        except OSError as fault:
            raise KeyFolderError(f"{self._path}: {fault.strerror}") from None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _load(self) -> RecordKey:
        # the key first: its succession was written before it
        return RecordKey(load_ed25519(self._path), read_successions(self._successions))


def read_successions(path: Path) -> tuple[Succession, ...]:
    """Every change of key that is written down, oldest first. Raises KeyFolderError."""
    try:
        data = path.read_bytes()[:_MAX_BYTES] if path.exists() else b""
        return tuple(read_succession(note.decode("utf-8")) for note in split_notes(data)) if data else ()
    except OSError as fault:
        raise KeyFolderError(f"{path}: {fault.strerror}") from None
    except (CheckpointInvalid, SuccessionInvalid, UnicodeDecodeError) as fault:
        raise KeyFolderError(f"{path}: {fault}") from None


class RecordKeyRing:
    """`ports.Rotatable` on a folder of keys: former public halves stay published for good."""

    def __init__(self, folder: Path) -> None:
        """Read the keys. Raises KeyFolderError."""
        self._folder = folder
        self._own, self._next = folder / "records.pem", folder / "records.next.pem"
        self._current = load_ed25519(self._own)
        self._coming = load_ed25519(self._next) if self._next.exists() else None

    @property
    def key_id(self) -> str:
        """The thumbprint of the key that seals now."""
        return thumbprint(_raw(self._current))

    @property
    def since(self) -> Epoch:
        """When the key that seals now was made, by its file. Raises KeyRingFault."""
        try:
            return Epoch(self._own.stat().st_mtime)
        except OSError as fault:
            raise KeyRingFault(f"{self._own}: {fault.strerror}") from None

    def is_outlived(self, now: Epoch) -> bool:
        """Never: what a key sealed is to be proven for as long as it is kept."""
        return False

    def prepare(self) -> None:
        """Make the next key, unless there is one, and publish its public half. Raises KeyRingFault."""
        try:
            durable.create(self._next, new_ed25519_pem())
            self._coming = load_ed25519(self._next)
            publish_record_keys(self._folder, _raw(self._coming), _raw(self._current))
        except (OSError, KeyFolderError) as fault:
            raise KeyRingFault(f"{self._next}: {fault}") from None

    def switch(self, ends: Epoch) -> None:
        """Have writers seal with the next key, which the present one vouches for; its private half is gone then.

        Raises KeyRingFault.
        """
        if self._coming is None:
            raise KeyRingFault("there is no next key")
        step = sign_succession(self._current, _raw(self._coming))
        path = self._folder / SUCCESSIONS
        try:
            notes = [kept.note for kept in read_successions(path)]
            if step.note not in notes:
                durable.replace(path, "".join((*notes, step.note)).encode("utf-8"), 0o644)
            os.replace(self._next, self._own)
            durable.sync_folder(self._folder)
            self._current, self._coming = self._coming, None
            publish_record_keys(self._folder, _raw(self._current))
        except (OSError, KeyFolderError) as fault:
            raise KeyRingFault(f"{self._own}: {fault}") from None

    def drop(self, now: Epoch) -> None:
        """Nothing: no key is forgotten."""


def _raw(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()
