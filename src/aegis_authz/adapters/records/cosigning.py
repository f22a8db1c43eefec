"""The head of the tree over a log, cosigned by witnesses: obtained, and former beside the log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz import durable
from aegis_authz.adapters.records.proving import LogNotProven, prove_log
from aegis_authz.adapters.witness import SizeConflict, WitnessClient, WitnessRefused, WitnessUnavailable
from aegis_authz.evidence.checkpoint import CheckpointInvalid
from aegis_authz.evidence.cosignature import CosignedHead, WitnessKey, cosigned, read_cosigned
from aegis_authz.evidence.cosigning import Cosigning, WitnessAnswer
from aegis_authz.evidence.log_proof import TreeHead, consistency_proof, sign_head
from aegis_authz.evidence.tree import LinesRetired, MerkleTree

COSIGNED = "cosigned.note"
MOST_BYTES = 64 * 1024
"""A cosigned head is no longer than this."""


def cosign_log(
    folder: Path,
    keys: Sequence[bytes],
    key: Ed25519PrivateKey,
    witnesses: Mapping[WitnessKey, WitnessClient],
    quorum: int,
) -> Cosigning:
    """Have witnesses cosign the head of the tree over the log in `folder`, which is verified first.

    It is signed with `key`, and kept beside the log once `quorum` of them have; the one of before stays until then.
    Raises OSError.
    """
    try:
        log = prove_log(folder, keys, None)
    except LogNotProven as fault:
        return Cosigning(folder.name, 0, (), False, str(fault))
    if not log.tree.size:
        return Cosigning(folder.name, 0, (), False, "it has no record yet")
    head = sign_head(log.writer, log.tree, key)
    former = _former_head(folder, keys, witnesses)
    if former is not None and former.head.size > head.size:  # the head that is kept is what shows it
        why = f"{former.head.size} of its records were cosigned, and {head.size} are here: it was rolled back"
        return Cosigning(folder.name, head.size, (), False, why)
    lines: list[str] = []
    faults: dict[WitnessKey, str] = {}
    sizes = {each.witness: former.head.size for each in former.cosignatures} if former is not None else {}
    for witness, client in witnesses.items():
        try:
            lines += _answer_lines(client, log.tree, head, sizes.get(witness, 0))
        except (WitnessRefused, WitnessUnavailable) as fault:
            faults[witness] = str(fault)
    if former is not None and former.head.note == head.note:  # who is away now signed this very head before
        lines += [each.line for each in former.cosignatures]
    result = cosigned(head, lines, witnesses)
    is_kept = len(result.cosignatures) >= quorum
    if is_kept:
        durable.replace(folder / COSIGNED, result.note())
    at = {each.witness: each.at for each in result.cosignatures}
    answers = tuple(_answer(witness, at.get(witness, 0), faults.get(witness, "")) for witness in witnesses)
    return Cosigning(folder.name, head.size, answers, is_kept, "")


def _answer(witness: WitnessKey, at: int, fault: str) -> WitnessAnswer:
    return WitnessAnswer(witness.name, at, fault or ("" if at else "it answered, and no line verifies with its key"))


def _answer_lines(client: WitnessClient, tree: MerkleTree, head: TreeHead, size: int) -> Sequence[str]:
    """The lines of a witness that has cosigned `size` leaves, as far as we know. Raises WitnessRefused,
    WitnessUnavailable.
    """
    try:
        return client.add_checkpoint(_request(tree, head, size))
    except SizeConflict as conflict:
        newest = conflict.size
    if newest > head.size:
        raise WitnessRefused(f"it has cosigned {newest} records, and {head.size} are here: the log was rolled back")
    try:
        return client.add_checkpoint(_request(tree, head, newest))
    except SizeConflict:
        raise WitnessUnavailable("another asks it about this log at the same time; ask again") from None


def _request(tree: MerkleTree, head: TreeHead, size: int) -> bytes:
    try:
        return consistency_proof(size, tree.consistency(size) if size else [], head)
    except LinesRetired:
        raise WitnessRefused(
            f"of the {size} records that it has cosigned, some were retired since, so no proof leads from there"
        ) from None


def _former_head(folder: Path, keys: Sequence[bytes], witnesses: Iterable[WitnessKey]) -> CosignedHead | None:
    """The cosigned head of before; None where none can be trusted: then witnesses say what they saw."""
    try:
        with (folder / COSIGNED).open("rb") as file:
            return read_cosigned(file.read(MOST_BYTES), keys, witnesses)
    except (FileNotFoundError, CheckpointInvalid):
        return None
