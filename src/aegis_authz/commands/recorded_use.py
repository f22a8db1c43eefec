"""What recorded calls tell about documents: what shadow ones would have decided, and which rights nobody used."""

from __future__ import annotations

from pathlib import Path

from aegis_authz.adapters.records.files import NoRecords
from aegis_authz.bootstrap.lab_bench import lab_bench
from aegis_authz.commands.backtest import Progress, ordered_batches
from aegis_authz.commands.faults import unable_on
from aegis_authz.core.refused import Refused
from aegis_authz.lab.opa import LabError
from aegis_authz.lab.shadows import ShadowReport, Shadows
from aegis_authz.lab.unused_rights import RightsReport, UseBook, unused_rights
from aegis_authz.local.servers import ServerMissing
from aegis_authz.policy.load import Loaded


@unable_on(NoRecords, LabError, Refused, ServerMissing, OSError)
def shadow_report(folder: Path, loaded: Loaded, since: float, progress: Progress) -> ShadowReport:
    """What shadow documents would have decided more strictly of the calls of all logs in `folder` from `since` on, by
    the rules of these documents. Raises Unable.
    """
    with lab_bench(loaded, plays_sequences=False) as bench:
        shadows = Shadows(bench, since)
        for batch in ordered_batches(folder):
            shadows.take(batch)
            progress(shadows.report.records)
    return shadows.report


@unable_on(NoRecords, OSError)
def rights_report(folder: Path, loaded: Loaded, since: float) -> tuple[RightsReport, UseBook]:
    """Which rights of these documents no call of the logs in `folder` used from `since` on, and what they did use.

    Raises Unable.
    """
    book = UseBook(since)
    for batch in ordered_batches(folder):
        book.take(batch)
    return unused_rights(book, loaded), book
