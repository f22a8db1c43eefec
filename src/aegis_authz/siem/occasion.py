"""What is kept between events, and what a record's moment is where people work."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import tzinfo

from aegis_authz.core.record import DecisionRecord, Record
from aegis_authz.siem.entry import Occasion, Weekday
from aegis_authz.siem.moment import utc
from aegis_authz.siem.severity import severity_of

_WEEKDAYS = tuple(Weekday)
MOST_USES = 100_000
"""Pairs of an agent and a tool that are remembered; beyond them nothing is said of what is new."""


@dataclass(slots=True)
class Uses:
    """Which agents were let through to which tools."""

    pairs: set[tuple[str, str]] = field(default_factory=set)

    @staticmethod
    def of(pairs: Iterable[tuple[str, str]]) -> Uses:
        """Those pairs of an agent (org/tenant/agent) and a tool."""
        return Uses(set(pairs))

    def add(self, record: Record) -> bool | None:
        """Remember the call; returns whether it is its agent's first to its tool, None where that is not known."""
        if not isinstance(record, DecisionRecord) or record.identity is None or not record.tool:
            return None
        if not record.effect.lets_through:
            return None
        pair = (str(record.identity.scope), record.tool)
        if pair in self.pairs:
            return False
        if len(self.pairs) >= MOST_USES:
            return None
        self.pairs.add(pair)
        return True


def occasion_of(record: Record, zone: tzinfo, uses: Uses | None) -> Occasion:
    """The occasion of a record's event, whose time is told in `zone`; `uses` is None where they are not kept."""
    moment = utc(record.time).astimezone(zone)
    marks = (charge.mark for charge in record.charges) if isinstance(record, DecisionRecord) else ()
    is_through = isinstance(record, DecisionRecord) and record.effect.lets_through
    return Occasion(
        severity_of(record),
        moment.hour,
        _WEEKDAYS[moment.weekday()],
        None if uses is None else uses.add(record),
        max(marks, default=0) if is_through else 0,
    )
