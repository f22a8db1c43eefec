"""What only the holder of a private key reads: HPKE (RFC 9180), base mode, X25519, HKDF-SHA256 and AES-256-GCM.

A box is the sender's encapsulated key, 32 bytes, and the ciphertext. Who seals needs the public key alone.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import TYPE_CHECKING

from aegis_authz.encoding import base64url

if TYPE_CHECKING:  # loaded where a box is made or opened: the language of policies knows of it, and commands are quick
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
    from cryptography.hazmat.primitives.hpke import Suite

_KEY_BYTES = 32


class NotOpened(ValueError):
    """A box is of another key or another place, or was altered."""


def read_public_key(text: str) -> bytes:
    """The raw X25519 public key that is written as 43 characters of base64url. Raises ValueError for any other text."""
    try:
        raw = base64url.decode(text.encode("ascii"))
    except ValueError:
        raw = b""
    if len(raw) != _KEY_BYTES:
        raise ValueError("no X25519 public key: 43 characters of base64url, as `aegis keys auditor` prints it")
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

    try:
        X25519PrivateKey.generate().exchange(_loaded(raw))  # a point of small order would let anybody read
    except ValueError:
        raise ValueError("an X25519 key that no one can hold") from None
    return raw


def write_public_key(raw: bytes) -> str:
    """The raw public key as 43 characters."""
    return base64url.encode(raw).decode("ascii")


def key_name(raw: bytes) -> str:
    """The thumbprint of a raw X25519 public key (RFC 7638, RFC 8037)."""
    canonical = f'{{"crv":"X25519","kty":"OKP","x":"{write_public_key(raw)}"}}'
    return write_public_key(hashlib.sha256(canonical.encode("ascii")).digest())


def seal(raw: bytes, place: bytes, content: bytes) -> bytes:
    """The box of the content for the holder of that raw public key, bound to the place."""
    return _suite().encrypt(content, _loaded(raw), info=place)


def unseal(key: X25519PrivateKey, place: bytes, box: bytes) -> bytes:
    """What was sealed for that place. Raises NotOpened."""
    from cryptography.exceptions import InvalidTag

    try:
        return _suite().decrypt(box, key, info=place)
    except (InvalidTag, ValueError):
        raise NotOpened("it was not sealed for this key and this place, or was altered") from None


@lru_cache(maxsize=1)
def _suite() -> Suite:
    from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite

    return Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


@lru_cache(maxsize=64)
def _loaded(raw: bytes) -> X25519PublicKey:
    from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PublicKey

    return X25519PublicKey.from_public_bytes(raw)
