"""Where sealed segments of records are shipped to: objects in versions, each locked until a moment."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from aegis_authz.core.units import Epoch


class StoreUnavailable(Exception):
    """The store cannot be asked, or does not do what it is asked for; the message is fit to show."""


class ObjectTooLarge(Exception):
    """A version has more bytes than were asked for."""


class ObjectTaken(Exception):
    """An object of that name is there; nothing was written."""


class ObjectMissing(Exception):
    """There is no such version of an object."""


@dataclass(frozen=True, slots=True)
class ObjectLock:
    """How a version is locked: `mode` is COMPLIANCE or GOVERNANCE, and nobody deletes it before `until`."""

    mode: str
    until: Epoch


@dataclass(frozen=True, slots=True)
class ObjectVersion:
    """A version of an object in a listing. `is_removal` is a marker that hides what is older than it."""

    key: str
    version: str
    is_newest: bool
    is_removal: bool


@dataclass(frozen=True, slots=True)
class ObjectState:
    """What the store says of a version: its bytes, their SHA-256 in hex ("" where it keeps none), its lock if any."""

    size: int
    sha256: str
    lock: ObjectLock | None


class ObjectStore(Protocol):
    """One bucket whose objects are locked. Every method blocks, and raises StoreUnavailable."""

    @property
    def name(self) -> str:
        """The bucket, for messages."""
        ...

    def require_lock(self) -> None:
        """Raises StoreUnavailable unless the bucket is there and locks objects."""
        ...

    def put(self, key: str, file: Path, sha256: str, lock: ObjectLock) -> str:
        """Write a file as an object of its own, locked; the store holds it to its SHA-256 (hex).

        Returns the version. Raises ObjectTaken, OSError where the file cannot be read.
        """
        ...

    def versions(self, prefix: str) -> Iterator[ObjectVersion]:
        """Every version of every object whose key begins so, by key, the newest version of each first."""
        ...

    def state(self, key: str, version: str) -> ObjectState:
        """What the store says of that version. Raises ObjectMissing."""
        ...

    def read(self, key: str, version: str, target: Path, most: int) -> None:
        """Write the bytes of that version into the file `target`, no more than `most` of them.

        Raises ObjectMissing, ObjectTooLarge where there are more, OSError.
        """
        ...
