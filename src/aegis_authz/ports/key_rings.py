"""Signing keys that are replaced while they are in use, wherever their private halves are."""

from __future__ import annotations

from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from aegis_authz.core.units import Epoch


class SigningKey(Protocol):
    """An Ed25519 key that signs, wherever it is. An `Ed25519PrivateKey` is one."""

    def public_key(self) -> Ed25519PublicKey:
        """The public half; asks nobody."""
        ...

    def sign(self, data: bytes, /) -> bytes:
        """The signature; may block. Raises KeyServiceDown."""
        ...


class KeyStore(Protocol):
    """A key service: makes Ed25519 keys and signs with them, and never gives a private half away.

    Every method blocks and may raise KeyServiceDown. A handle is a short text that is no secret.
    """

    def make(self) -> str:
        """Make another key; returns its handle."""
        ...

    def public_key(self, handle: str) -> bytes:
        """The raw public half of a key."""
        ...

    def sign(self, handle: str, message: bytes) -> bytes:
        """The signature of the message by that key."""
        ...

    def retire(self, handle: str, successor: str) -> None:
        """Let that key, which the successor follows, sign nothing any more."""
        ...


class Rotatable(Protocol):
    """A key with the next one and those before it."""

    @property
    def key_id(self) -> str:
        """The thumbprint of the key that signs now (RFC 7638)."""
        ...

    @property
    def since(self) -> Epoch:
        """When the key that signs now was made."""
        ...

    def is_outlived(self, now: Epoch) -> bool:
        """Whether a former key's time is over."""
        ...

    def prepare(self) -> None:
        """Make the next key, unless there is one; blocks on the disk. Raises KeyRingFault."""
        ...

    def switch(self, ends: Epoch) -> None:
        """Sign with the next key from now on; the one so far verifies until `ends`. Raises KeyRingFault."""
        ...

    def drop(self, now: Epoch) -> None:
        """Forget the former keys whose time is over. Raises KeyRingFault."""
        ...


class KeyRing(Rotatable, Protocol):
    """The Ed25519 keys of tokens or approvals."""

    @property
    def signing_key(self) -> SigningKey:
        """What signs now."""
        ...

    def trusted(self, now: Epoch) -> tuple[Ed25519PublicKey, ...]:
        """What is to be believed: the key that signs, the next one, and former ones whose time is not over."""
        ...


class BundleKeyRing(Rotatable, Protocol):
    """The P-256 keys of bundles."""

    @property
    def signing_key(self) -> EllipticCurvePrivateKey:
        """What signs now."""
        ...

    def trusted(self, now: Epoch) -> tuple[EllipticCurvePublicKey, ...]:
        """What is to be believed: the key that signs, the next one, and former ones whose time is not over."""
        ...


class KeyRingFault(Exception):
    """A signing key cannot be read or replaced; the message is fit to show, and holds no key."""


class KeyServiceDown(KeyRingFault):
    """A key service gives no answer, or none that can be used: nothing is signed. The message holds no secret."""
