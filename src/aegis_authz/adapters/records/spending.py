"""What calls cost, from the record logs of a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from aegis_authz.adapters.records.files import log_files
from aegis_authz.core.record import Record
from aegis_authz.evidence.chain import NotARecord, read_record
from aegis_authz.evidence.document import RecordInvalid
from aegis_authz.evidence.spend import Dimension, SpendRow, spend_rows

_OF_MONEY = b'"cost":{'
"""What every record holds that has to do with money: to look for it costs far less than to read every line."""


def recorded_spend(folder: Path, by: Sequence[Dimension], since: float) -> list[SpendRow]:
    """What the calls in all logs of `folder` cost that were made from `since` on, without verifying.

    Raises NoRecords, OSError.
    """
    return spend_rows(_records(folder), by, since)


def _records(folder: Path) -> Iterator[Record]:
    for log in log_files(folder):
        for line in log.oldest_first():
            if _OF_MONEY in line.raw:
                try:
                    yield read_record(line.raw)
                except (NotARecord, RecordInvalid):
                    continue  # `aegis audit verify` says so
