"""The public keys record logs are verified with, from whatever file an auditor has."""

from __future__ import annotations

from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from aegis_authz.adapters.files.keys import load_ed25519
from aegis_authz.core.refused import Refused
from aegis_authz.encoding.jwk import raws_from_jwks
from aegis_authz.encoding.strict_json import parse_object

_MAX_FILE_BYTES = 65_536


class RecordKeyError(Exception):
    """The file holds no usable Ed25519 public key; the message names it and is fit to show."""


def load_public_keys(path: Path) -> tuple[bytes, ...]:
    """The raw Ed25519 public keys in a file: a JWK, a JWK set, a public PEM, or the private PEM they belong to.

    Raises RecordKeyError; KeyFolderError for a private key that others may read; OSError.
    """
    with path.open("rb") as file:
        data = file.read(_MAX_FILE_BYTES)
    if b"PRIVATE KEY" in data:
        return (load_ed25519(path).public_key().public_bytes_raw(),)
    try:
        if data.lstrip().startswith(b"{"):
            return raws_from_jwks(parse_object(data))
        key = load_pem_public_key(data)
    except (ValueError, UnsupportedAlgorithm, Refused) as fault:
        raise RecordKeyError(f"{path}: not a public key as JWK or PEM ({fault})") from fault
    if not isinstance(key, Ed25519PublicKey):
        raise RecordKeyError(f"{path}: not an Ed25519 key")
    return (key.public_bytes_raw(),)
