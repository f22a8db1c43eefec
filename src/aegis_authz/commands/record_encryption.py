"""Encryption of records at rest, for the commands that encrypt sealed segments and replace the key they are under."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.files.keys import KeyFolderError, load_ed25519
from aegis_authz.adapters.records.encrypting import Encryption, encrypt_log, rewrap_log
from aegis_authz.adapters.records.files import NoRecords, verify_folder, writer_folders
from aegis_authz.adapters.records.folder import FolderBusy
from aegis_authz.adapters.records.keyring import VARIABLE, Keyring, KeyUnusable, keyring_of, make_key_file
from aegis_authz.adapters.records.keys import RecordKeyError
from aegis_authz.commands.faults import Unable, unable_on
from aegis_authz.commands.records import record_keys

_FAULTS = (NoRecords, FolderBusy, KeyFolderError, RecordKeyError, KeyUnusable, OSError)
_Work = Callable[[Path, Sequence[bytes], Keyring, Ed25519PrivateKey], Iterator[Encryption]]


@dataclass(frozen=True, slots=True)
class Encrypted:
    """A segment that was encrypted or wrapped again; or of a log of which nothing was done, why (`refusal`)."""

    writer: str
    segment: int
    key: str
    refusal: str


def use_record_keys(references: Sequence[str]) -> None:
    """Have this process open records with these keys, as AEGIS_RECORDS_KEYS would. Raises Unable."""
    with unable_on(KeyUnusable):
        if references:
            os.environ[VARIABLE] = ",".join(references)
        keyring_of(os.environ)


def make_encryption_key(path: Path) -> str:
    """Make a key-encryption key in a new file; returns its name. Raises Unable."""
    with unable_on(KeyUnusable, OSError):
        return make_key_file(path)


def encrypt_records(folder: Path, state: Path, key: Path | None, signing_key: Path) -> Iterator[Encrypted]:
    """Encrypt every sealed segment of the logs in `folder` that is not, with the first key of the environment.

    A log that is not proven stays as it is: what is encrypted is signed with the private key in `signing_key`, and
    nothing is signed of which that is not known. Raises Unable.
    """
    return _of_each_log(folder, state, key, signing_key, _encrypt)


def rewrap_records(folder: Path, state: Path, key: Path | None, signing_key: Path) -> Iterator[Encrypted]:
    """Wrap the data keys of every encrypted segment again, by the first key of the environment. Raises Unable."""
    return _of_each_log(folder, state, key, signing_key, rewrap_log)


def _encrypt(log: Path, keys: Sequence[bytes], keyring: Keyring, signing: Ed25519PrivateKey) -> Iterator[Encryption]:
    return encrypt_log(log, keys, keyring.first, signing)


def _of_each_log(folder: Path, state: Path, key: Path | None, signing_key: Path, work: _Work) -> Iterator[Encrypted]:
    with unable_on(*_FAULTS):
        signing, keys, keyring = load_ed25519(signing_key), record_keys(key, state), keyring_of(os.environ)
        if signing.public_key().public_bytes_raw() not in keys:
            raise Unable(
                f"{signing_key} is none of the keys that records are verified with, so nobody would believe it"
            )
        _ = keyring.first
        logs = writer_folders(folder)
        damages = {
            report.writer: report.damages[0].sentence() for report in verify_folder(folder, keys) if report.damages
        }
        for log in logs:
            if log.name in damages:
                yield Encrypted(log.name, 0, "", f"it is not proven: {damages[log.name]}")
                continue
            for done in work(log, keys, keyring, signing):
                yield Encrypted(done.writer, done.segment, done.key, "")
