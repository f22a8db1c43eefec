"""Sealed segments of records to storage whose objects are locked, and back, for the commands."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from aegis_authz.adapters.files.keys import KeyFolderError
from aegis_authz.adapters.records.fetching import fetch_log, stored_logs
from aegis_authz.adapters.records.files import NoRecords, verify_folder, writer_folders
from aegis_authz.adapters.records.folder import FolderBusy
from aegis_authz.adapters.records.keys import RecordKeyError
from aegis_authz.adapters.records.shipped import shipped_segments
from aegis_authz.adapters.records.shipping import Destination, ship_log
from aegis_authz.bootstrap.settings import SettingsError, load_settings
from aegis_authz.commands.faults import Unable, unable_on
from aegis_authz.commands.records import record_keys
from aegis_authz.config.shipping import ShippingSettings
from aegis_authz.core.units import Epoch
from aegis_authz.evidence.log_report import LogReport
from aegis_authz.evidence.shipping import Fetching, LedgerInvalid, ShippedSegment, Shipping
from aegis_authz.ports.object_store import StoreUnavailable

_FAULTS = (FolderBusy, KeyFolderError, LedgerInvalid, NoRecords, RecordKeyError, StoreUnavailable, OSError)


def open_destination(config: Path) -> Destination:
    """The storage that the settings in that file name. Raises Unable, StoreUnavailable."""
    try:
        settings = load_settings(config, ShippingSettings)
    except SettingsError as fault:
        raise Unable(str(fault)) from None
    from aegis_authz.adapters.s3 import S3Store

    store = S3Store(settings)
    store.require_lock()
    return Destination(store, settings.prefix, settings.retention.mode, settings.retention.days)


def ship_records(
    folder: Path, state: Path, key: Path | None, config: Path, now: Epoch, is_dry: bool
) -> Iterator[Shipping]:
    """Ship what is sealed of every log in `folder` and not shipped yet, and tell of each. Raises Unable."""
    with unable_on(*_FAULTS):
        destination = open_destination(config)
        keys = record_keys(key, state)
        for log in writer_folders(folder):
            yield from ship_log(log, keys, destination, now, is_dry)


def shipped_records(folder: Path, state: Path, key: Path | None, config: Path) -> Iterator[ShippedSegment]:
    """What the storage says of every sealed segment of the logs in `folder`. Raises Unable."""
    with unable_on(*_FAULTS):
        destination = open_destination(config)
        keys = record_keys(key, state)
        for log in writer_folders(folder):
            yield from shipped_segments(log, keys, destination)


def fetch_records(out: Path, state: Path, key: Path | None, config: Path, writers: Sequence[str]) -> Iterator[Fetching]:
    """Bring the segments of these writers, of all where none is named, back into `out`, and tell of each; objects that
    are no segments are told of as well. Raises Unable, also where a writer that is named has no segment there.
    """
    with unable_on(*_FAULTS):
        destination = open_destination(config)
        keys = record_keys(key, state)
        logs, foreign = stored_logs(destination)
        if strange := sorted(set(writers) - set(logs)):
            raise Unable(f"no segment of {', '.join(strange)} is in {destination.store.name}/{destination.prefix}")
        for writer in sorted(set(writers) or set(logs)):
            yield from fetch_log(logs[writer], out / writer, keys, destination)
        for name in foreign:
            yield Fetching("", 0, "foreign", name, f"{name} is no segment; it stays where it is", ())


def fetched_reports(out: Path, state: Path, key: Path | None) -> list[LogReport]:
    """Prove what was brought back, from segment to segment. Raises Unable."""
    with unable_on(*_FAULTS):
        return verify_folder(out, record_keys(key, state), is_sealed_alone=True)
