"""What calls cost, for the command that adds it up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from aegis_authz.adapters.records import spending
from aegis_authz.adapters.records.files import NoRecords
from aegis_authz.commands.faults import unable_on
from aegis_authz.evidence.spend import Dimension, SpendRow


def read_dimensions(names: str) -> tuple[Dimension, ...]:
    """The dimensions in a text such as `tenant,day`. Raises ValueError for another word, or one twice."""
    words = [name.strip() for name in names.split(",")]
    names_of_all = [dimension.value for dimension in Dimension]
    unknown = [word for word in words if word not in names_of_all]
    if unknown:
        raise ValueError(f"spend is by {', '.join(names_of_all)}, not by {unknown[0]!r}")
    if len(set(words)) != len(words):
        raise ValueError("names something twice")
    return tuple(map(Dimension, words))


@unable_on(NoRecords, OSError)
def recorded_spend(folder: Path, by: Sequence[Dimension], since: float) -> list[SpendRow]:
    """What the calls in all logs of `folder` cost that were made from `since` on, without verifying. Raises Unable."""
    return spending.recorded_spend(folder, by, since)
