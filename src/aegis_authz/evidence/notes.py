"""The checkpoint notes beside a log, and which of them are to be trusted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aegis_authz.evidence.checkpoint import Checkpoint, CheckpointInvalid, SignedByAnother, read_checkpoint


@dataclass(frozen=True, slots=True)
class Note:
    """A checkpoint note as it was read, and from which file."""

    file: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Seal:
    """A checkpoint whose signature by `key` (raw) was verified, and the file it came from."""

    file: str
    checkpoint: Checkpoint
    key: bytes


def is_foreign(notes: Sequence[Note], keys: Sequence[bytes]) -> bool:
    """Whether other keys signed all of the notes, going by the id of the key that each names."""
    return bool(notes) and all(isinstance(_sealed(note, keys), SignedByAnother) for note in notes)


def trusted_seals(
    notes: Iterable[Note], writer: str, keys: Sequence[bytes]
) -> tuple[list[Seal], list[tuple[Note, str]]]:
    """Divide notes into those that seal `writer`'s log under one of the raw public `keys`, each state once,
    and the others with why not.
    """
    seals: dict[tuple[Checkpoint, bytes], Seal] = {}
    distrusted: list[tuple[Note, str]] = []
    for note in notes:
        seal = _sealed(note, keys)
        if isinstance(seal, CheckpointInvalid):
            distrusted.append((note, str(seal)))
        elif seal.checkpoint.writer == writer:
            seals.setdefault((seal.checkpoint, seal.key), seal)
        else:
            distrusted.append((note, f"it is a checkpoint of {seal.checkpoint.writer}"))
    return list(seals.values()), distrusted


def _sealed(note: Note, keys: Sequence[bytes]) -> Seal | CheckpointInvalid:
    fault = CheckpointInvalid("no key is given")
    for key in keys:
        try:
            return Seal(note.file, read_checkpoint(note.raw, key), key)
        except SignedByAnother as another:
            fault = another
        except CheckpointInvalid as invalid:
            return invalid
    return fault
