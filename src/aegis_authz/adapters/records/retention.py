"""Sealed segments are retired: the oldest first, behind a tombstone that is written before they go."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz import durable
from aegis_authz.adapters.records.compression import finished_segments, segments_locked
from aegis_authz.adapters.records.files import first_hashes, label
from aegis_authz.adapters.records.recovery import read_notes
from aegis_authz.adapters.records.segments import Segment, segments
from aegis_authz.adapters.records.tombstones import read_beginning, write_tombstone
from aegis_authz.adapters.records.unread import SegmentDamaged
from aegis_authz.core.record import SealRecord
from aegis_authz.core.units import Epoch
from aegis_authz.evidence.chain import NotARecord, read_link, read_record
from aegis_authz.evidence.document import RecordInvalid
from aegis_authz.evidence.log_report import LogLine
from aegis_authz.evidence.notes import trusted_seals
from aegis_authz.evidence.retention import Extent, RetentionPlan, RetentionRule, plan_retention
from aegis_authz.evidence.tombstone import Tombstone, TombstoneInvalid, read_tombstone, sign_tombstone
from aegis_authz.evidence.tree import MerkleTree
from aegis_authz.evidence.verify import LogCheck


class RetentionRefused(Exception):
    """Segments are not as their writer left them, so none is retired; the message says where."""


def log_plan(folder: Path, keys: Sequence[bytes], rule: RetentionRule, anchored: int) -> RetentionPlan:
    """What the rule retires of the log in `folder`, of which anchors cover `anchored` records. Raises OSError."""
    present = read_beginning(folder, keys).segments(folder)
    finished: list[Extent] = []
    closed = finished_segments(folder)
    for segment in present:
        extent = _extent(segment) if segment in closed else None
        if extent is None:
            break
        finished.append(extent)
    return plan_retention(folder.name, [segment.size() for segment in present], finished, rule, anchored)


def _extent(segment: Segment) -> Extent | None:
    try:
        line = segment.last_line()
        seal, seq = read_record(line), read_link(line).seq
    except (NotARecord, RecordInvalid, SegmentDamaged):
        return None
    return Extent(segment.number, seal.first, seq, seal.time, segment.size()) if isinstance(seal, SealRecord) else None


def retire(folder: Path, keys: Sequence[bytes], plan: RetentionPlan, key: Ed25519PrivateKey, now: Epoch) -> None:
    """Retire what is planned, after every record of it was verified once more, and what an earlier run left behind.

    The tombstone is there, signed with `key`, before the first segment goes. Raises RetentionRefused, FolderBusy,
    OSError.
    """
    with segments_locked(folder):
        if plan.extents:
            note = sign_tombstone(_tombstone(folder, keys, plan, now), key)
            _require_believed(note, folder, keys)
            write_tombstone(folder, note)
        beginning = read_beginning(folder, keys)
        if beginning.problem:
            raise RetentionRefused(f"the tombstone of {folder} cannot be trusted: {beginning.problem}")
        for segment in segments(folder):  # by number: what its writer began meanwhile is in no list of before
            if segment.number <= beginning.last_retired:
                segment.remove()
        durable.sync_folder(folder)


def _require_believed(note: bytes, folder: Path, keys: Sequence[bytes]) -> None:
    """Nothing goes on the strength of a tombstone that no verifier would believe."""
    try:
        read_tombstone(note, folder.name, keys)
    except TombstoneInvalid as fault:
        raise RetentionRefused(f"the tombstone would not be believed: {fault}") from None


def _tombstone(folder: Path, keys: Sequence[bytes], plan: RetentionPlan, now: Epoch) -> Tombstone:
    beginning = read_beginning(folder, keys)
    if beginning.problem:
        raise RetentionRefused(f"the tombstone of {folder} cannot be trusted: {beginning.problem}")
    firsts = first_hashes(folder, keys)
    if len(firsts) != 1:
        raise RetentionRefused(f"the first record of {folder} is damaged")
    former = beginning.tombstone
    tree = MerkleTree() if former is None else MerkleTree(former.size, former.tree)
    notes = read_notes(folder, label(folder))
    if not trusted_seals(notes, folder.name, keys)[0]:
        raise RetentionRefused(f"no checkpoint of {folder} can be trusted")
    # by its checkpoints it knows which hashes it need not keep: without them, that of every record
    check = LogCheck(folder.name, keys, notes, tombstone=former)
    for extent in plan.extents:
        segment = Segment(folder, extent.segment)
        with segment.open() as file:
            for number, raw in enumerate(file, start=1):
                check.add(LogLine(f"{label(folder)}{segment.name}", number, raw))
                tree.add(raw)
    last = plan.extents[-1]
    (first,) = firsts
    if check.problems or check.seq != last.last:
        raise RetentionRefused("; ".join(check.problems) or f"{folder} was changed meanwhile")
    until = math.ceil(last.sealed_at)
    return Tombstone(
        folder.name, last.segment, last.last, check.head, first, int(now), until, check.spans, tree.subtrees()
    )
