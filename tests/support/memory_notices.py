"""Where notices and alerts are kept in tests that read neither from a disk."""

from __future__ import annotations

from aegis_authz.testing.alerts import MemoryAlerts
from aegis_authz.testing.outbox import MemoryOutbox


def memory_notices() -> tuple[MemoryOutbox, MemoryAlerts]:
    """An outbox, and the alerts whose notices are in it."""
    outbox = MemoryOutbox(for_tests=True)
    return outbox, MemoryAlerts(outbox, for_tests=True)
