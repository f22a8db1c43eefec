"""Logs held against what witnesses cosigned of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from aegis_authz.adapters.records.cosigning import COSIGNED, MOST_BYTES
from aegis_authz.adapters.records.files import label, writer_folders
from aegis_authz.adapters.records.tombstones import read_beginning
from aegis_authz.evidence.checkpoint import CheckpointInvalid
from aegis_authz.evidence.cosignature import CosignedHead, WitnessKey, read_cosigned
from aegis_authz.evidence.log_report import Damage, LogReport
from aegis_authz.evidence.tree import TreeRoot


def with_cosignatures(
    folder: Path, keys: Sequence[bytes], witnesses: Sequence[WitnessKey], quorum: int, reports: Sequence[LogReport]
) -> list[LogReport]:
    """The reports on the logs in `folder`, each held against the head that `quorum` of the witnesses cosigned.

    A log without such a head, or whose tree is another, counts as damaged. Of one that is damaged anyway nothing more
    is said. Raises NoRecords, OSError.
    """
    logs = {path.name: path for path in writer_folders(folder)}
    return [
        _report(logs[report.writer], keys, witnesses, quorum, report)
        if report.is_intact and report.writer in logs
        else report
        for report in reports
    ]


def _report(
    log: Path, keys: Sequence[bytes], witnesses: Sequence[WitnessKey], quorum: int, report: LogReport
) -> LogReport:
    try:
        cosigned = _cosigned(log, keys, witnesses)
        problem = _problem(log, keys, cosigned, quorum)
    except CheckpointInvalid as fault:
        problem = str(fault)
    if problem:
        damage = Damage(f"{label(log)}{COSIGNED}", 0, 0, "", problem)
        return replace(report, damages=(damage,), damage_count=1)
    times = [each.at for each in cosigned.cosignatures]
    last = datetime.fromtimestamp(max(times), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    note = f"{len(times)} of the witnesses saw its first {cosigned.head.size} records as they are, the last at {last}"
    return replace(report, notes=(*report.notes, note))


def _cosigned(log: Path, keys: Sequence[bytes], witnesses: Sequence[WitnessKey]) -> CosignedHead:
    try:
        with (log / COSIGNED).open("rb") as file:
            return read_cosigned(file.read(MOST_BYTES), keys, witnesses)
    except FileNotFoundError:
        raise CheckpointInvalid("no head that witnesses cosigned is there") from None


def _problem(log: Path, keys: Sequence[bytes], cosigned: CosignedHead, quorum: int) -> str:
    """What is wrong with the log, going by what was cosigned of it; "" for nothing."""
    if cosigned.head.writer != log.name:
        return f"it is of the log of {cosigned.head.writer}"
    if len(cosigned.cosignatures) < quorum:
        return f"{len(cosigned.cosignatures)} of the witnesses cosigned it, and {quorum} are asked for"
    size = cosigned.head.size
    tree = _tree(log, keys, size)
    if tree.size > size:
        return f"it seals {size} records that were retired since: have the log cosigned again"
    if tree.size < size:
        return f"it seals {size} records of which {tree.size} are there: the log was truncated or rolled back"
    if tree.root() != cosigned.root:
        return f"its tree over the first {tree.size} records is another: the log was rewritten or forked"
    return ""


def _tree(log: Path, keys: Sequence[bytes], size: int) -> TreeRoot:
    """The tree over the first `size` records, over fewer where no more are there, over more where they are retired."""
    beginning = read_beginning(log, keys)
    tombstone = beginning.tombstone
    tree = TreeRoot(0, ()) if tombstone is None else TreeRoot(tombstone.size, tombstone.tree)
    for segment in beginning.segments(log):
        with segment.open() as file:
            for raw in file:
                if tree.size >= size:
                    return tree
                tree.add(raw)
    return tree
