"""What reads records, in one value."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_authz.control.records.live import LiveRecords
from aegis_authz.control.records.reading import RecordDesk
from aegis_authz.control.records.reconciling import Reconciler
from aegis_authz.control.records.verifying import Verifier


@dataclass(frozen=True, slots=True)
class RecordServices:
    """How records are read: `desk` finds them, `live` tells what comes, `verifier` proves all of them, and `reconciler`
    holds access logs against them, None where there are none.
    """

    desk: RecordDesk
    live: LiveRecords
    verifier: Verifier
    reconciler: Reconciler | None
