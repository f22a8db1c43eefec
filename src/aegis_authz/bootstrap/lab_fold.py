"""The limits of a bench, folded from recorded calls on a Redis of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from aegis_authz.bootstrap.lab_store import LabStore, lab_redis
from aegis_authz.core.decision import Decision
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.lab.folding import Fold, Step
from aegis_authz.local.servers import find_redis

Settle = Callable[[Sequence[Step]], dict[int, Decision]]


@contextmanager
def lab_fold(snapshot: Snapshot) -> Iterator[Settle]:
    """What settles recorded calls and outcomes under a snapshot, in their order, beginning with limits nobody has used.

    Raises LabError, ServerMissing; what is settled raises LabError.
    """
    with lab_redis(find_redis()) as address, asyncio.Runner() as runner:

        async def opened() -> LabStore:
            own = LabStore(address)
            await own.forget()
            return own

        own = runner.run(opened())
        fold = Fold(own, snapshot)
        try:
            yield lambda steps: runner.run(fold.settle(steps))
        finally:
            runner.run(own.close())
