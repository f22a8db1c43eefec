"""A workbench for loaded documents, on an OPA of its own and, for sequences, on a Redis of its own."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path

from aegis_authz.bootstrap.lab_store import LabStore, lab_redis
from aegis_authz.core.decision import Decision
from aegis_authz.core.refused import Refused
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.core.units import Seconds
from aegis_authz.lab.calls import TriedCall
from aegis_authz.lab.opa import LabError, lab_opa
from aegis_authz.lab.sequence_cases import Play
from aegis_authz.lab.sequences import Played, played
from aegis_authz.lab.workbench import Workbench
from aegis_authz.local.servers import find_opa, find_redis
from aegis_authz.policy.load import Loaded


@contextmanager
def lab_bench(loaded: Loaded, plays_sequences: bool, patience: Seconds | None = None) -> Iterator[Workbench]:
    """These documents, running in an OPA, and beside a Redis where sequences are to be played or calls settled.

    After `patience` OPA is ended and sequences are broken off, None for never: it is that of all together. Raises
    LabError, ServerMissing; what is asked of the bench raises LabError, Refused.
    """
    end = None if patience is None else time.monotonic() + patience
    with ExitStack() as stack:
        opa = stack.enter_context(lab_opa(find_opa(), patience))
        settle = None
        if plays_sequences:
            settle = partial(_settled, stack.enter_context(lab_redis(find_redis())), end)
        yield Workbench(loaded, opa, settle)


def _settled(
    address: Path,
    end: float | None,
    plays: Sequence[tuple[TriedCall, Play]],
    decisions: Sequence[Decision | Refused],
    snapshot: Snapshot,
) -> list[list[Played]]:
    """Play the calls on the Redis at a socket until `end`, of the monotonic clock. Raises LabError."""

    async def play() -> list[list[Played]]:
        own = LabStore(address)
        try:
            async with asyncio.timeout(None if end is None else end - time.monotonic()):
                return await played(plays, decisions, snapshot, own)
        except TimeoutError:
            raise LabError("the sequences were not played to their end in time") from None
        finally:
            await own.close()

    return asyncio.run(play())
