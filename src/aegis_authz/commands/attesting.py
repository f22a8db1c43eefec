"""Attestations of single decisions, for whoever verifies them with tools that are not ours."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.adapters.files.keys import RECORDS, KeyFolderError, load_ed25519
from aegis_authz.adapters.records.files import NoRecords, writer_folders
from aegis_authz.adapters.records.keys import RecordKeyError
from aegis_authz.adapters.records.proving import LogNotProven, prove_log
from aegis_authz.commands.faults import Rejected, Unable, unable_on
from aegis_authz.commands.records import record_keys
from aegis_authz.core.record import DecisionRecord
from aegis_authz.evidence.chain import read_record
from aegis_authz.siem.attestation import signed_envelope, statement


@unable_on(NoRecords, KeyFolderError, RecordKeyError, OSError)
def attest_decision(folder: Path, state: Path, decision_id: str, key: Path | None, signing_key: Path | None) -> bytes:
    """Envelopes of a decision in the logs of `folder`, one a line, which are verified under the public `key` before.

    Signed with the private key in `signing_key`, of the mesh where that is None. Raises Unable, and Rejected where a
    log is not proven, or there is no such decision.
    """
    keys = record_keys(key, state)
    private = load_ed25519(signing_key or state / "keys" / RECORDS)
    if private.public_key().public_bytes_raw() not in keys:
        raise Unable("the key that would sign the attestation is not among those that verify the records")
    try:
        lines = [line for log in writer_folders(folder) for line in prove_log(log, keys, decision_id).lines.values()]
    except LogNotProven as fault:
        raise Rejected(str(fault)) from None
    records = [(line, read_record(line)) for line in lines]
    others = [record for _, record in records if not isinstance(record, DecisionRecord)]
    envelopes = [
        signed_envelope(statement(line, record, others), private)
        for line, record in records
        if isinstance(record, DecisionRecord) and record.decision_id == decision_id
    ]
    if not envelopes:
        raise Rejected(f"no decision {decision_id!r} in {folder}")
    return b"".join(envelopes)
