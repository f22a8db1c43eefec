"""Sealed segments of records, for the commands that compress and retire them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from aegis_authz.adapters.files.keys import KeyFolderError, load_ed25519
from aegis_authz.adapters.records.compression import Compression, compress_log
from aegis_authz.adapters.records.files import (
    ExpectationInvalid,
    NoRecords,
    first_hashes,
    load_anchors,
    verify_folder,
    writer_folders,
)
from aegis_authz.adapters.records.folder import FolderBusy
from aegis_authz.adapters.records.keys import RecordKeyError
from aegis_authz.adapters.records.retention import RetentionRefused, log_plan, retire
from aegis_authz.adapters.records.shipped import safe_count
from aegis_authz.adapters.records.shipping import Destination
from aegis_authz.commands.faults import Unable, unable_on
from aegis_authz.commands.records import anchors_beside, record_keys
from aegis_authz.commands.shipping import open_destination
from aegis_authz.core.units import Epoch
from aegis_authz.evidence.anchors import ProvenAnchors
from aegis_authz.evidence.log_report import LogReport
from aegis_authz.evidence.retention import RetentionPlan, RetentionRule
from aegis_authz.evidence.shipping import LedgerInvalid
from aegis_authz.local.layout import ANCHORS_FILE
from aegis_authz.ports.object_store import StoreUnavailable


@dataclass(frozen=True, slots=True)
class Retention:
    """What becomes of one log: the plan, whether it `is_done`, and why nothing is done of it, "" for no such reason."""

    plan: RetentionPlan
    is_done: bool
    refusal: str


@dataclass(frozen=True, slots=True)
class RetentionProof:
    """By what the logs are proven before anything is retired: files of public keys and anchors, None for those of the
    mesh, and the places whose anchors count, none for all.
    """

    key: Path | None
    anchors: Path | None
    places: Collection[str]


def retain_records(
    folder: Path,
    state: Path,
    rule: RetentionRule,
    proof: RetentionProof,
    signing_key: Path | None,
    now: Epoch,
    shipped_to: Path | None,
) -> list[Retention]:
    """Retire what the rule says of every log in `folder` that is wholly proven, and that anchors cover; where the
    settings of a store are named by `shipped_to`, only what is read back from it.

    The tombstones are signed with the private key in the file `signing_key`; without one nothing is retired, and what
    would be is told. Raises Unable, also where there are no anchors: what none covers is never retired.
    """
    faults = (ExpectationInvalid, FolderBusy, KeyFolderError, LedgerInvalid, NoRecords, RecordKeyError)
    with unable_on(*faults, StoreUnavailable, OSError):
        key = load_ed25519(signing_key) if signing_key is not None else None
        keys = record_keys(proof.key, state)
        file = proof.anchors if proof.anchors is not None else anchors_beside(state)
        if file is None:
            raise Unable(
                f"there is no {ANCHORS_FILE} in {state}, and what no anchor covers is never retired: --anchors"
            )
        anchors = load_anchors(file, keys, proof.places)
        logs = writer_folders(folder)  # a log that comes meanwhile has no report, and so nothing that speaks against it
        reports = verify_folder(folder, keys, anchors=anchors)
        store = open_destination(shipped_to) if shipped_to is not None else None
        return [_retain(log, keys, rule, reports, anchors, (key, now), store) for log in logs]


def _retain(
    log: Path,
    keys: Sequence[bytes],
    rule: RetentionRule,
    reports: Sequence[LogReport],
    anchors: ProvenAnchors,
    signing: tuple[Ed25519PrivateKey | None, Epoch],
    store: Destination | None,
) -> Retention:
    firsts = first_hashes(log, keys)
    sizes = [seal.seal.checkpoint.size for seal in anchors.seals if seal.writer == log.name and seal.first in firsts]
    plan = log_plan(log, keys, rule, max(sizes, default=0))
    names = {log.name, "anchors"}
    damages = [damage for report in reports if report.writer in names for damage in report.damages]
    key, now = signing
    if damages:
        return Retention(plan, False, f"it is not proven: {damages[0].sentence()}")
    if store is not None:
        count, why = safe_count(log, [extent.segment for extent in plan.extents], keys, store, now)
        plan = plan.held_up(count, why) if why else plan
    if key is None:
        return Retention(plan, False, "")
    try:
        retire(log, keys, plan, key, now)
    except RetentionRefused as fault:
        return Retention(plan, False, str(fault))
    return Retention(plan, True, "")


def compress_records(folder: Path) -> Iterator[Compression]:
    """Compress every sealed segment of the logs in `folder` that is not, and tell of each. Raises Unable."""
    with unable_on(NoRecords, FolderBusy, OSError):
        for log in writer_folders(folder):
            yield from compress_log(log)
