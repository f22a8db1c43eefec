"""Anchors: where the logs of records stood, kept where their writers cannot reach."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from aegis_authz.core.units import Epoch

FIRST_PREVIOUS = "0" * 64
"""What the first anchor has for the hash of the one before."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a log stands: `note` is its newest checkpoint as its writer signed it, `first` the hash of its first record
    in hex, by which two logs of one name are told apart, and `place` where the writer runs.
    """

    place: str
    writer: str
    first: str
    size: int
    note: str

    @property
    def log(self) -> tuple[str, str, str]:
        """Which log it is of: several of one name may be at one place, one after the other or side by side."""
        return self.place, self.writer, self.first


@dataclass(frozen=True, slots=True)
class Anchor:
    """A head in its place: `number` counts from 1, and `hash` covers the head, the number and the `previous` hash."""

    number: int
    at: Epoch
    head: Head
    previous: str
    hash: str

    @staticmethod
    def after(number: int, previous: str, at: Epoch, head: Head) -> Anchor:
        """The anchor of a head that follows that of this number and hash; 0 and FIRST_PREVIOUS before the first."""
        return Anchor(number + 1, at, head, previous, _hash(number + 1, previous, at, head))


def _hash(number: int, previous: str, at: Epoch, head: Head) -> str:
    members = [
        "aegis-anchor-v1",
        number,
        previous,
        float(at),
        head.place,
        head.writer,
        head.first,
        head.size,
        head.note,
    ]
    return hashlib.sha256(json.dumps(members, ensure_ascii=True, separators=(",", ":")).encode("ascii")).hexdigest()
