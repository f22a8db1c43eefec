"""The tombstone in the folder of a log."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aegis_authz import durable
from aegis_authz.adapters.records.segments import Segment, segments
from aegis_authz.evidence.tombstone import ForeignTombstone, Tombstone, TombstoneInvalid, read_tombstone

TOMBSTONE = "tombstone.note"
MOST_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class LogBeginning:
    """How a log begins: behind a tombstone, with its first record where there is none; `problem` is what is wrong with
    the tombstone, "" for nothing. One that is `foreign` says what it says, and nothing of that is proven.
    """

    tombstone: Tombstone | None
    problem: str
    is_foreign: bool
    note: bytes

    @property
    def last_retired(self) -> int:
        """The number of the last segment that the tombstone stands for, 0 for none."""
        return self.tombstone.segment if self.tombstone is not None else 0

    def segments(self, folder: Path) -> list[Segment]:
        """The segments that count: those that were retired may be there for a moment longer. Raises OSError."""
        return [segment for segment in segments(folder) if segment.number > self.last_retired]


def read_beginning(folder: Path, keys: Sequence[bytes]) -> LogBeginning:
    """How the log in `folder` begins, under the raw public `keys`. Raises OSError."""
    try:
        with (folder / TOMBSTONE).open("rb") as file:
            note = file.read(MOST_BYTES)
    except FileNotFoundError:
        return LogBeginning(None, "", False, b"")
    try:
        return LogBeginning(read_tombstone(note, folder.name, keys), "", False, note)
    except ForeignTombstone as fault:
        return LogBeginning(fault.tombstone, str(fault), True, note)
    except TombstoneInvalid as fault:
        return LogBeginning(None, str(fault), False, note)


def write_tombstone(folder: Path, note: bytes) -> None:
    """Put the note into the folder of its log in one step. Raises OSError."""
    durable.replace(folder / TOMBSTONE, note)
