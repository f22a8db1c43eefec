"""What calls cost, read from the records: all of them are read each time, and never twice at once."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from aegis_authz.control.policies.turns import Turns
from aegis_authz.core.units import Monotonic, Seconds
from aegis_authz.evidence.spend import Dimension, SpendRow
from aegis_authz.ports.data_plane import Clock

Spend = Callable[[Sequence[Dimension], float], list[SpendRow]]
"""Adds up what the records say that calls cost, by what and since when. Blocks on the disk; raises OSError."""

_Summary = TypeVar("_Summary")
_PATIENCE = Seconds(60.0)
"""How long one waits for the readings of others."""

MayIn = Callable[[str, str], bool]
"""Whether spend of that org and tenant may be seen."""


@dataclass(frozen=True, slots=True)
class _Sum:
    dimensions: tuple[Dimension, ...]
    since: float
    read_at: Monotonic
    rows: tuple[SpendRow, ...]


class SpendReader:
    """Reads spend, one reading at a time, and the next is what another person waits for."""

    def __init__(self, spend: Spend, clock: Clock, patience: Seconds = _PATIENCE) -> None:
        """`patience` is how long one waits for others."""
        self._spend = spend
        self._clock = clock
        self._turns = Turns(patience)
        self._latest: _Sum | None = None

    async def summary(
        self,
        by: Sequence[Dimension],
        since: float,
        max_age: Seconds,
        person: str,
        of: Callable[[Sequence[SpendRow]], _Summary],
    ) -> _Summary:
        """What `of` makes of all sums, in a thread and in the turn of that person: there may be very many. Those of a
        reading that is at most so old will do. Raises OSError, TurnMissed.
        """

        async def read() -> _Summary:
            return await asyncio.to_thread(of, await self._rows(tuple(by), since, max_age))

        return await self._turns.run(person, read)

    async def _rows(self, dimensions: tuple[Dimension, ...], since: float, max_age: Seconds) -> tuple[SpendRow, ...]:
        latest, now = self._latest, self._clock.monotonic()
        if latest is None or (latest.dimensions, latest.since) != (dimensions, since) or now - latest.read_at > max_age:
            rows = tuple(await asyncio.to_thread(self._spend, dimensions, since))
            latest = self._latest = _Sum(dimensions, since, now, rows)
        return latest.rows


def visible_rows(rows: Sequence[SpendRow], may_in: MayIn) -> list[SpendRow]:
    """The rows whose tenant, which is the first they are added up by, may be seen."""
    visible = {name for name in {row.key[0] for row in rows} if may_in(*_org_and_tenant(name))}
    return [row for row in rows if row.key[0] in visible]


def _org_and_tenant(name: str) -> tuple[str, str]:
    org, _, tenant = name.partition("/")
    return org, tenant
