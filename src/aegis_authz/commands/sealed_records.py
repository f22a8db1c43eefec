"""The keys of auditors: made, and used to open what is sealed in records."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from aegis_authz import durable
from aegis_authz.adapters.files.secret_file import SecretUnusable, read_secret
from aegis_authz.commands.faults import Unable, unable_on
from aegis_authz.core.record import DecisionRecord
from aegis_authz.encoding.sealed_box import key_name, write_public_key
from aegis_authz.evidence.query import StoredRecord
from aegis_authz.evidence.sealing import SealBroken, opened

Opener = Callable[[StoredRecord], StoredRecord]
"""A record with what is sealed in it in the clear, as far as there is a key to it."""


@dataclass(frozen=True, slots=True)
class AuditorKey:
    """A key that was made: the public half as documents write it, and the name that records hold."""

    public: str
    name: str


@unable_on(OSError)
def make_auditor_key(path: Path) -> AuditorKey:
    """Make the private key of an auditor in a new file of mode 0600. Raises Unable."""
    key = X25519PrivateKey.generate()
    if not durable.create(path, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())):
        raise Unable(f"{path} is there already, and what is sealed for it would be lost with it")
    raw = key.public_key().public_bytes_raw()
    return AuditorKey(write_public_key(raw), key_name(raw))


def auditor_opener(paths: Sequence[Path]) -> Opener:
    """Opens records with the private keys in these files; without any leaves them as they are. Raises Unable.

    A record whose seal is broken is one that cannot be read.
    """
    keys = [_loaded(path) for path in paths]

    def open_record(stored: StoredRecord) -> StoredRecord:
        if not isinstance(stored.record, DecisionRecord):
            return stored
        try:
            return replace(stored, record=opened(stored.record, keys))
        except SealBroken as fault:
            return replace(stored, record=None, fault=str(fault))

    return open_record


def _loaded(path: Path) -> X25519PrivateKey:
    with unable_on(SecretUnusable):
        data = read_secret(path)
    try:
        key = load_pem_private_key(data, password=None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, X25519PrivateKey):
        raise Unable(f"{path}: not the private key of an auditor (X25519, PEM), as `aegis keys auditor` makes it")
    return key
