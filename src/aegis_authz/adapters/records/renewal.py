"""The key that a log is sealed with, and what leads to it from the key that the log was sealed with before."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.evidence.succession import Succession, path_between


@dataclass(frozen=True, slots=True)
class RecordKey:
    """The key that seals now, and every change of key that is written down."""

    key: Ed25519PrivateKey = field(repr=False)
    successions: tuple[Succession, ...]

    @property
    def public_key(self) -> bytes:
        """The raw public half."""
        return self.key.public_key().public_bytes_raw()

    def path_from(self, former: bytes) -> tuple[Succession, ...] | None:
        """The changes that lead from that raw public key to this one, None where none do."""
        return path_between(self.successions, former, self.public_key)

    def formers(self) -> Iterator[bytes]:
        """The raw public keys from which changes lead to this one, the latest first."""
        for step in reversed(self.successions):
            if step.former != self.public_key and self.path_from(step.former) is not None:
                yield step.former


class RecordKeys(Protocol):
    """Where a writer finds its key, which somebody may replace while it runs."""

    @property
    def current(self) -> RecordKey:
        """The key as it was read last."""
        ...

    def renewed(self) -> RecordKey | None:
        """The key that is there now, None while it is the one read last. Raises KeyFolderError."""
        ...
