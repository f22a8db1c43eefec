"""Sealed segments of records, for the commands that compress and retire them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from aegis_authz.adapters.records.compression import Compression, compress_log
from aegis_authz.adapters.records.files import NoRecords, writer_folders
from aegis_authz.adapters.records.folder import FolderBusy
from aegis_authz.commands.faults import unable_on


def compress_records(folder: Path) -> Iterator[Compression]:
    """Compress every sealed segment of the logs in `folder` that is not, and tell of each. Raises Unable."""
    with unable_on(NoRecords, FolderBusy, OSError):
        for log in writer_folders(folder):
            yield from compress_log(log)
