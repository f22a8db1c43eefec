"""The place of one record in its chain, and what that proves without reading the whole log: pure, over lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from aegis_authz.evidence.chain import Link, NotARecord, genesis, read_link
from aegis_authz.evidence.checkpoint import Checkpoint
from aegis_authz.evidence.tombstone import Tombstone

MOST_LINES = 5_000
"""How many lines are followed to the next checkpoint."""


class Standing(Enum):
    """What is known of a record by its own neighbourhood."""

    PROVEN = "proven"
    """From its bytes every link leads to a signed checkpoint."""

    LINKED = "linked"
    """It continues the record before it; the signed checkpoint that covers it is too far on to be followed to here."""

    UNSEALED = "unsealed"
    """It continues the record before it; no signed checkpoint covers it yet."""

    BROKEN = "broken"
    """It is not as its writer left it, or what should stand beside it is not."""


@dataclass(frozen=True, slots=True)
class ChainPosition:
    """Where a record stands: its writer, its number in the log, its hash in hex.

    `sealed` is how many records the newest trusted checkpoint covers; `words` say what came of looking.
    """

    writer: str
    seq: int
    hash: str
    sealed: int
    standing: Standing
    words: str


def chain_position(
    writer: str,
    line: bytes,
    before: bytes | None,
    behind: Iterable[bytes],
    checkpoints: Sequence[Checkpoint],
    keys: Sequence[bytes],
    tombstone: Tombstone | None,
) -> ChainPosition:
    """The position of `line` in the log of `writer`, between the line `before` it (or None) and those `behind` it.

    `checkpoints` are the log's own, and `tombstone` what stands for those that were retired before the first, None for
    none: both verified before under one of the raw public `keys`. At most `MOST_LINES` of what is
    behind are read.
    """
    sealed = max((checkpoint.size for checkpoint in checkpoints), default=0)
    try:
        link = read_link(line)
    except NotARecord:
        return ChainPosition(writer, 0, "", sealed, Standing.BROKEN, "it is not a readable record")
    standing, words = _standing(writer, link, before, behind, checkpoints, keys, tombstone)
    return ChainPosition(writer, link.seq, link.stated.hex(), sealed, standing, words)


def _standing(
    writer: str,
    link: Link,
    before: bytes | None,
    behind: Iterable[bytes],
    checkpoints: Sequence[Checkpoint],
    keys: Sequence[bytes],
    tombstone: Tombstone | None,
) -> tuple[Standing, str]:
    if not link.is_whole:
        return Standing.BROKEN, "its bytes do not match its hash"
    if link.writer != writer:
        return Standing.BROKEN, f"it belongs to the log of {link.writer}"
    if fault := _fault_before(writer, link, before, keys, tombstone):
        return Standing.BROKEN, fault
    ahead = [checkpoint for checkpoint in checkpoints if checkpoint.size >= link.seq]
    if not ahead:
        return Standing.UNSEALED, "it continues the record before it, and no signed checkpoint covers it yet"
    return _to_checkpoint(link, behind, min(ahead, key=lambda checkpoint: checkpoint.size))


def _fault_before(
    writer: str, link: Link, before: bytes | None, keys: Sequence[bytes], tombstone: Tombstone | None
) -> str:
    """Why the record does not continue the log, "" when it does."""
    if link.seq == 1:
        starts = {genesis(writer, key) for key in keys}
        return "" if link.prev in starts else "it does not begin the log as it must for this writer and its keys"
    if before is None and tombstone is not None and tombstone.size == link.seq - 1:
        return "" if tombstone.head == link.prev else "it does not continue the records that were retired before it"
    if before is None:
        return f"record {link.seq - 1}, which it continues, is not there"
    try:
        previous = read_link(before)
    except NotARecord:
        return "what stands before it is not a readable record"
    if not previous.is_whole:
        return "the bytes of the record before it do not match their hash"
    if previous.seq != link.seq - 1 or previous.computed != link.prev:
        return "it does not continue the record before it"
    return ""


def _to_checkpoint(link: Link, behind: Iterable[bytes], checkpoint: Checkpoint) -> tuple[Standing, str]:
    if checkpoint.size - link.seq > MOST_LINES:
        words = f"it continues the record before it; the checkpoint that covers it is at record {checkpoint.size}"
        return Standing.LINKED, words
    last = link
    lines = iter(behind)
    while last.seq < checkpoint.size:
        raw = next(lines, None)
        if raw is None:
            return Standing.BROKEN, f"record {last.seq + 1} is sealed and not there: the log was truncated"
        try:
            following = read_link(raw)
        except NotARecord:
            return Standing.BROKEN, f"record {last.seq + 1}, behind it, is not readable"
        if not following.is_whole or following.seq != last.seq + 1 or following.prev != last.computed:
            return Standing.BROKEN, f"record {last.seq + 1}, behind it, does not continue the log"
        last = following
    if last.computed != checkpoint.head:
        return Standing.BROKEN, f"the checkpoint of {checkpoint.size} records seals another log"
    words = (
        f"its bytes match its hash, and each link from it leads to the signed checkpoint of {checkpoint.size} records"
    )
    return Standing.PROVEN, words
