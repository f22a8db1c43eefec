"""Cosignatures of witnesses on the trees over record logs, for the commands."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

from aegis_authz.adapters.files.keys import RECORDS, KeyFolderError, load_ed25519
from aegis_authz.adapters.records.cosigned_logs import with_cosignatures
from aegis_authz.adapters.records.cosigning import cosign_log
from aegis_authz.adapters.records.files import NoRecords, writer_folders
from aegis_authz.adapters.records.keys import RecordKeyError
from aegis_authz.adapters.witness import WitnessClient
from aegis_authz.bootstrap.settings import SettingsError, load_settings
from aegis_authz.commands.faults import Unable, unable_on
from aegis_authz.commands.records import record_keys
from aegis_authz.config.witnesses import WitnessesSettings
from aegis_authz.evidence.cosignature import WitnessKey, WitnessKeyInvalid, log_verifier_key
from aegis_authz.evidence.cosigning import Cosigning
from aegis_authz.evidence.log_report import LogReport

_FAULTS = (KeyFolderError, NoRecords, RecordKeyError, SettingsError, WitnessKeyInvalid, OSError)


def cosign_records(
    folder: Path, state: Path, key: Path | None, signing_key: Path | None, config: Path
) -> Iterator[Cosigning]:
    """Have the witnesses in the settings `config` cosign the head of each log in `folder`, and tell of each.

    The heads are signed with the private key in `signing_key`, of the mesh where that is None. Raises Unable.
    """
    with unable_on(*_FAULTS), ExitStack() as stack:
        settings = load_settings(config, WitnessesSettings)
        keys = record_keys(key, state)
        private = load_ed25519(signing_key or state / "keys" / RECORDS)
        if private.public_key().public_bytes_raw() not in keys:
            raise Unable("the key that would sign the heads is not among those that verify the records")
        trust = ssl.create_default_context(cafile=settings.authority) if settings.authority is not None else None
        witnesses = {
            WitnessKey.parse(witness.key): stack.enter_context(closing(WitnessClient(witness.url, trust)))
            for witness in settings.witnesses
        }
        for log in writer_folders(folder):
            yield cosign_log(log, keys, private, witnesses, settings.quorum)


def log_keys(folder: Path, state: Path, signing_key: Path | None) -> list[str]:
    """The verifier keys of the trees over the logs in `folder`, as their witnesses are given them. Raises Unable."""
    with unable_on(*_FAULTS):
        public = load_ed25519(signing_key or state / "keys" / RECORDS).public_key().public_bytes_raw()
        return [log_verifier_key(log.name, public) for log in writer_folders(folder)]


def witness_keys(texts: Sequence[str], quorum: int | None) -> list[WitnessKey]:
    """The witnesses of these verifier keys, each once. Raises Unable, also where so many are no quorum of them."""
    with unable_on(WitnessKeyInvalid):
        witnesses = list(dict.fromkeys(WitnessKey.parse(text) for text in texts))
    if len({key.public_key for key in witnesses}) != len(witnesses):
        raise Unable("two of the witnesses have one key")
    if quorum is not None and quorum > len(witnesses):
        raise Unable(f"a quorum of {quorum} is asked for, and {len(witnesses)} witnesses are named")
    return witnesses


def held_against(
    folder: Path,
    state: Path | None,
    key: Path | None,
    witnesses: Sequence[WitnessKey],
    quorum: int,
    reports: Sequence[LogReport],
) -> list[LogReport]:
    """The reports on the logs in `folder`, each held against what so many of the witnesses cosigned. Raises Unable."""
    with unable_on(*_FAULTS):
        return with_cosignatures(folder, record_keys(key, state or folder), witnesses, quorum, reports)
