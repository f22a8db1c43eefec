"""Anchors as lines of a file, and what they prove of logs.

A file holds one JSON object a line, in the order of the numbers. Each names the hash of the one before, so that none
can be altered, removed or moved unseen; that the last ones are gone is seen by a copy alone.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aegis_authz.core.anchor import FIRST_PREVIOUS, Anchor, Head
from aegis_authz.core.json_value import Json
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import Epoch
from aegis_authz.encoding.narrowing import integer, members, number, text
from aegis_authz.encoding.strict_json import parse_object
from aegis_authz.evidence.checkpoint import Checkpoint, CheckpointInvalid, SignedByAnother, read_checkpoint
from aegis_authz.evidence.log_report import LogLine
from aegis_authz.evidence.notes import Seal

_END_OF_TIME = 253_402_300_800.0
"""Seconds: the year 10000, which no date can be written of."""
_MEMBERS = {"number", "at", "place", "writer", "first", "size", "note", "previous", "hash"}


class AnchorInvalid(ValueError):
    """The line is no anchor; the message says why in words for a person."""


@dataclass(frozen=True, slots=True)
class AnchoredSeal:
    """A checkpoint that an anchor holds, its signature verified, and of which log it is."""

    place: str
    first: str
    seal: Seal

    @property
    def writer(self) -> str:
        """Whose log it seals."""
        return self.seal.checkpoint.writer


@dataclass(frozen=True, slots=True)
class ProvenAnchors:
    """What a file of anchors proves, and what is wrong with it, a sentence each. `foreign` are the places and writers
    whose checkpoints other keys signed than those that were given: of their logs the anchors prove nothing.
    """

    seals: tuple[AnchoredSeal, ...]
    faults: tuple[str, ...]
    foreign: tuple[tuple[str, str], ...]

    @property
    def places(self) -> frozenset[str]:
        """Where the writers run that something is anchored of."""
        return frozenset({anchored.place for anchored in self.seals} | {place for place, _ in self.foreign})

    def of(self, writer: str) -> ProvenAnchors:
        """The same of one writer's logs alone."""
        seals = tuple(anchored for anchored in self.seals if anchored.writer == writer)
        return ProvenAnchors(seals, self.faults, tuple(name for name in self.foreign if name[1] == writer))

    def at(self, places: Collection[str]) -> ProvenAnchors:
        """The same of these places alone; of all where none is named."""
        seals = tuple(anchored for anchored in self.seals if not places or anchored.place in places)
        foreign = tuple(name for name in self.foreign if not places or name[0] in places)
        return ProvenAnchors(seals, self.faults, foreign)


NO_ANCHORS = ProvenAnchors((), (), ())


def encode_anchor(anchor: Anchor) -> bytes:
    """The anchor as a line, its newline included."""
    head = anchor.head
    content = {
        "number": anchor.number,
        "at": float(anchor.at),
        "place": head.place,
        "writer": head.writer,
        "first": head.first,
        "size": head.size,
        "note": head.note,
        "previous": anchor.previous,
        "hash": anchor.hash,
    }
    return json.dumps(content, separators=(",", ":")).encode("ascii") + b"\n"


def read_anchor(line: bytes) -> Anchor:
    """The anchor in a line that `encode_anchor` wrote. Raises AnchorInvalid, and says nothing of the one before."""
    try:
        if not line.endswith(b"\n"):
            raise AnchorInvalid("it is cut off")
        content = members(parse_object(line), _MEMBERS, "an anchor")
        anchor = _anchor(content)
    except Refused as fault:
        raise AnchorInvalid(fault.detail) from None
    except ValueError as fault:
        raise AnchorInvalid(str(fault)) from None
    if anchor != Anchor.after(anchor.number - 1, anchor.previous, anchor.at, anchor.head):
        raise AnchorInvalid("its members do not match its hash")
    return anchor


def _anchor(content: Mapping[str, Json]) -> Anchor:
    head = Head(
        text(content["place"], "place"),
        text(content["writer"], "writer"),
        text(content["first"], "first"),
        integer(content["size"], "size"),
        text(content["note"], "note"),
    )
    at = Epoch(number(content["at"], "at"))
    if not 0 <= at < _END_OF_TIME:
        raise ValueError("at is no moment")
    previous, own = text(content["previous"], "previous"), text(content["hash"], "hash")
    return Anchor(integer(content["number"], "number"), at, head, previous, own)


def prove_anchors(lines: Iterable[LogLine], keys: Sequence[bytes]) -> ProvenAnchors:
    """Follow a chain of anchors from its first line, and verify the checkpoint of each by the raw public `keys`.

    A line that is damaged counts as a fault, and those after it are read all the same.
    """
    seals: list[AnchoredSeal] = []
    faults: list[str] = []
    foreign: set[tuple[str, str]] = set()
    count, previous = 0, FIRST_PREVIOUS
    for line in lines:
        count += 1
        try:
            anchor = read_anchor(line.raw)
        except AnchorInvalid as fault:
            faults.append(f"line {line.number} is no anchor: {fault}")
            previous = ""
            continue
        if anchor.number != count or previous not in ("", anchor.previous):
            faults.append(f"line {line.number} does not continue the one before it: anchors were removed or moved")
        count, previous = anchor.number, anchor.hash
        try:
            seal = _seal(anchor, keys)
        except CheckpointInvalid as fault:
            faults.append(f"line {line.number}: {fault}")
            continue
        if seal is None:
            foreign.add((anchor.head.place, anchor.head.writer))
        else:
            seals.append(AnchoredSeal(anchor.head.place, anchor.head.first, seal))
    return ProvenAnchors(tuple(seals), tuple(faults), tuple(sorted(foreign)))


def verified_head(head: Head, keys: Sequence[bytes]) -> Checkpoint | None:
    """The checkpoint that a head holds, and by one of the raw public `keys`; None where another key signed it.

    Raises CheckpointInvalid when its signature does not verify, or it is not what the head says.
    """
    checkpoint, _ = _verified(head, keys) or (None, b"")
    return checkpoint


def _verified(head: Head, keys: Sequence[bytes]) -> tuple[Checkpoint, bytes] | None:
    for key in keys:
        try:
            checkpoint = read_checkpoint(head.note.encode("utf-8"), key)
        except SignedByAnother:
            continue
        if (checkpoint.writer, checkpoint.size) != (head.writer, head.size):
            raise CheckpointInvalid("its checkpoint is of another log, or of another size")
        return checkpoint, key
    return None


def _seal(anchor: Anchor, keys: Sequence[bytes]) -> Seal | None:
    verified = _verified(anchor.head, keys)
    if verified is None:
        return None
    checkpoint, key = verified
    moment = datetime.fromtimestamp(anchor.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return Seal(f"anchor {anchor.number} of {moment}", checkpoint, key)
