"""Proofs of single records, each a file that proves itself to whoever has the public key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aegis_authz.adapters.files.keys import RECORDS, KeyFolderError, load_ed25519
from aegis_authz.adapters.records.files import NoRecords, writer_folders
from aegis_authz.adapters.records.keys import RecordKeyError
from aegis_authz.adapters.records.proving import LogNotProven, ProvenLog, prove_log
from aegis_authz.commands.faults import Rejected, Unable, unable_on
from aegis_authz.commands.records import record_keys
from aegis_authz.evidence.checkpoint import CheckpointInvalid
from aegis_authz.evidence.log_proof import TreeHead, consistency_proof, inclusion_proof, read_head, sign_head
from aegis_authz.evidence.tree import LinesRetired


def prove_records(
    folder: Path, state: Path, decision_id: str, key: Path | None, signing_key: Path | None, since: Path | None
) -> dict[str, bytes]:
    """The proofs of each record of a decision, or of an approval, in the logs of `folder`, by the names of their files.

    The head of each log's tree is signed with the private key in `signing_key`, of the mesh where that is None. With
    the head in the file `since`, the growth of its log since then is proven, too. Raises Unable, and Rejected where a
    log is not proven, or there is no such record.
    """
    with unable_on(NoRecords, KeyFolderError, RecordKeyError, OSError):
        keys = record_keys(key, state)
        private = load_ed25519(signing_key or state / "keys" / RECORDS)
        if private.public_key().public_bytes_raw() not in keys:
            raise Unable("the key that would sign the proofs is not among those that verify the records")
        try:
            former = None if since is None else read_head(since.read_bytes(), keys)
            logs = [prove_log(log, keys, decision_id) for log in writer_folders(folder)]
            heads = {log.writer: sign_head(log.writer, log.tree, private) for log in logs if log.tree.size}
            files = dict(file for log in logs for file in _inclusions(log, heads))
            if not files:
                raise Rejected(f"no record of decision {decision_id!r} in {folder}")
            if former is not None:
                files |= _growth(former, {log.writer: log for log in logs}, heads)
        except (LogNotProven, CheckpointInvalid) as fault:
            raise Rejected(str(fault)) from None
        return files


def _inclusions(log: ProvenLog, heads: dict[str, TreeHead]) -> Iterator[tuple[str, bytes]]:
    for index, line in log.lines.items():
        head = heads[log.writer]
        yield f"{log.writer}-{index + 1}.tlog-proof", inclusion_proof(line, index, log.tree.inclusion(index), head)
        yield f"{log.writer}-{head.size}.note", head.note


def _growth(former: TreeHead, logs: dict[str, ProvenLog], heads: dict[str, TreeHead]) -> dict[str, bytes]:
    head = heads.get(former.writer)
    if head is None or former.size > head.size:
        raise Rejected(f"the log of {former.writer} has no longer the {former.size} records of the head of before")
    try:
        proof = logs[former.writer].tree.consistency(former.size)
    except LinesRetired:
        raise Rejected(f"of the {former.size} records of the head of before, some were retired since") from None
    name = f"{former.writer}-{former.size}-{head.size}.consistency"
    return {name: consistency_proof(former.size, proof, head), f"{head.writer}-{head.size}.note": head.note}
