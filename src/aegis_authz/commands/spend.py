"""What calls cost, from the record logs of a folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from aegis_authz.adapters.records.files import NoRecords, log_files
from aegis_authz.commands.faults import unable_on
from aegis_authz.core.record import Record
from aegis_authz.evidence.chain import NotARecord, read_record
from aegis_authz.evidence.document import RecordInvalid
from aegis_authz.evidence.spend import Dimension, SpendRow, spend_rows

_OF_MONEY = b'"cost":{'
"""What every record holds that has to do with money: to look for it costs far less than to read every line."""


def read_dimensions(names: str) -> tuple[Dimension, ...]:
    """The dimensions in a text such as `tenant,day`. Raises ValueError for another word, or one twice."""
    words = [name.strip() for name in names.split(",")]
    known = [dimension.value for dimension in Dimension]
    unknown = [word for word in words if word not in known]
    if unknown:
        raise ValueError(f"spend is by {', '.join(known)}, not by {unknown[0]!r}")
    if len(set(words)) != len(words):
        raise ValueError("names something twice")
    return tuple(map(Dimension, words))


@unable_on(NoRecords, OSError)
def recorded_spend(folder: Path, by: Sequence[Dimension], since: float) -> list[SpendRow]:
    """What the calls in all logs of `folder` cost that were made from `since` on, without verifying. Raises Unable."""
    return spend_rows(_records(folder), by, since)


def _records(folder: Path) -> Iterator[Record]:
    for log in log_files(folder):
        for line in log.oldest_first():
            if _OF_MONEY in line.raw:
                try:
                    yield read_record(line.raw)
                except (NotARecord, RecordInvalid):
                    continue  # `aegis audit verify` says so
