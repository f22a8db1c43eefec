"""Aegis with one part missing: `python -m benchmarks.contenders.missing_part PART CONFIG`.

For the benchmark alone, and here alone: the product has no switch for any of this.
"""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

from aegis_authz import native

PARTS = ("record", "span", "metrics", "settle", "memory")
EQUAL = "all that the Go peer does not do"
"""Every one of them: a token is verified and policy asked, each time anew, and nothing is used up, kept or told.

Nor does the Go peer tell the caller apart by its share, find revocations, limits or obligations: those stay on here.
"""


async def _keep_nothing(*_: object) -> None:
    """Stands for the record of a decision, and for those of what became of calls."""


def _count_nothing(*_: object) -> None:
    """Stands for what metrics make of a decision."""


def leave_out(part: str) -> None:
    """Put nothing in the place of a part, before a worker is put together. A span is left out by its settings."""
    from aegis_authz.bootstrap import worker
    from aegis_authz.core.settlement import Settled, Settlement, SettleOutcome
    from aegis_authz.core.units import ApprovalId, Epoch, Millis

    async def settle(store: object, settlement: Settlement, deadline: float) -> Settled:
        opens = settlement.opens
        if opens is not None:  # policy holds the call, and nobody is asked
            return Settled(SettleOutcome.OPENED, opens.id, opens.expires_at, "", (), Millis(0), None)
        return Settled(SettleOutcome.CLEAR, ApprovalId(""), Epoch(0.0), "", (), Millis(0), None)

    pdp = vars(worker)["OpaPdp"]
    log = vars(worker)["FileRecordLog"]
    places: dict[str, tuple[tuple[object, str, object], ...]] = {
        "record": ((log, "append", _keep_nothing), (log, "append_all", _keep_nothing)),
        "metrics": ((vars(worker)["DecisionMetrics"], "count", _count_nothing),),
        "settle": ((vars(worker)["RedisStore"], "settle", settle),),
        "memory": ((worker, "OpaPdp", lambda http, answers: pdp(http)),),
    }
    if part not in (*PARTS, EQUAL):
        raise SystemExit(f"there is no part {part}")
    for name in PARTS if part == EQUAL else (part,):
        for place in places.get(name, ()):
            setattr(*place)


def main(part: str, config: Path) -> None:
    """Serve until SIGTERM."""
    runs, _ = native.use_as_environment_says()
    from aegis_authz.bootstrap.settings import load_settings
    from aegis_authz.config.authz import AuthzSettings

    settings = load_settings(config, AuthzSettings)
    os.environ["PROMETHEUS_MULTIPROC_DIR"] = str(settings.metrics_dir)
    settings.metrics_dir.mkdir(parents=True, exist_ok=True)
    leave_out(part)
    from aegis_authz.bootstrap.worker import serve_worker

    logging.basicConfig(level=logging.INFO)
    logging.getLogger(__name__).info("decides %s, without %s", runs, part)
    serve_worker(settings, 0)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
