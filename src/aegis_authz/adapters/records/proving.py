"""The tree over a log on disk, and the lines that are to be proven in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from aegis_authz.adapters.records.files import label, verify_folder
from aegis_authz.adapters.records.tombstones import read_beginning
from aegis_authz.evidence.log_report import LogLine
from aegis_authz.evidence.query import RecordFilter, matching
from aegis_authz.evidence.tree import MerkleTree


class LogNotProven(Exception):
    """The log is not intact, so nothing of it is proven; the message says what is wrong with it."""


@dataclass(frozen=True, slots=True)
class ProvenLog:
    """The tree over the lines of one log that its checkpoints seal, and those lines that were sought, by their leaf."""

    writer: str
    tree: MerkleTree
    lines: dict[int, bytes]


def prove_log(folder: Path, keys: Sequence[bytes], decision_id: str | None) -> ProvenLog:
    """Verify the log in `folder` under the raw public `keys`, and build its tree; no lines are sought where no decision
    is. Raises LogNotProven, OSError.
    """
    (report, *_) = verify_folder(folder, keys)
    if not report.is_intact:
        raise LogNotProven(f"{folder.name}: {report.damages[0].sentence()}")
    beginning = read_beginning(folder, keys)
    tombstone = beginning.tombstone
    tree = MerkleTree() if tombstone is None else MerkleTree(tombstone.size, tombstone.tree)
    sought, lines = RecordFilter(decision_id=decision_id or ""), {}
    mark = (decision_id or "").encode()
    for segment in beginning.segments(folder):
        with segment.open() as file:
            for number, raw in enumerate(file, start=1):
                if tree.size == report.sealed:
                    break  # what came meanwhile
                line = LogLine(f"{label(folder)}{segment.name}", number, raw)
                if (
                    decision_id is not None
                    and mark in raw
                    and any(stored.record is not None for stored in matching([line], sought))
                ):
                    lines[tree.size] = raw
                tree.add(raw)
    if tree.size != report.sealed:
        raise LogNotProven(f"{folder.name} was changed meanwhile")
    return ProvenLog(folder.name, tree, lines)
