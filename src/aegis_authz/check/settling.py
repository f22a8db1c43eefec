"""What a call costs in the end, from what became of it, and the record of that."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from aegis_authz.core.money import Money
from aegis_authz.core.price import OnError
from aegis_authz.core.record import CostState, OutcomeRecord, SettledCost, UsageRecord
from aegis_authz.core.refused import Refused
from aegis_authz.costs.estimate import TokenTerms
from aegis_authz.costs.ticket import Ticket, read_ticket
from aegis_authz.costs.usage import Usage, measured
from aegis_authz.ports.data_plane import Clock, RecordLog
from aegis_authz.wire.envoy.access_log import LogEntry

_log = logging.getLogger(__name__)
_FROM_THE_TOOL = "via_upstream"  # of response code details: the answer is the tool's own, and none of Envoy's or ours
_REFUSED = 400


@dataclass(frozen=True, slots=True)
class Settler:
    """Records the outcomes of calls, and what they used."""

    records: RecordLog
    clock: Clock

    async def settle(self, entries: Sequence[LogEntry]) -> None:
        """Take what Envoy tells of calls that are over; what cannot be recorded is logged, and its estimate stands."""
        await asyncio.gather(*map(self._settle, entries))

    async def measure(self, decision_id: str, ticket: Ticket, terms: TokenTerms, usage: Usage | None) -> None:
        """Take the usage of an answer that is over. One that was left out, or cannot be, leaves the estimate."""
        money = None if usage is None else measured(usage, terms)
        cost = SettledCost(ticket.estimate.money, CostState.ESTIMATED)
        if money is not None:
            cost = SettledCost(money, CostState.MEASURED)
        tokens = None if usage is None else (usage.input, usage.cached, usage.cache_write, usage.output)
        try:
            await self.records.append(UsageRecord(decision_id, self.clock.now(), tokens, cost))
        except Refused as refusal:
            _log.error("the usage of decision %s was not recorded: %s", decision_id, refusal)

    async def _settle(self, entry: LogEntry) -> None:
        ticket = _ticket(entry)
        cost = settled_cost(ticket, entry) if ticket is not None else None
        try:
            await self.records.append(outcome_of(entry, cost))
        except Refused as refusal:
            _log.error("the outcome of decision %s was not recorded: %s", entry.decision_id, refusal)


def settled_cost(ticket: Ticket, entry: LogEntry) -> SettledCost:
    """What is charged in the end.

    Nothing where nothing was sent to the tool, nor, unless the catalogue keeps it, where the tool itself refused the
    call or failed. Where it was reached and nobody knows what it did (a reset, a timeout, a client that left), the
    estimate stands.
    """
    estimate = ticket.estimate
    is_refused = entry.details == _FROM_THE_TOOL and entry.status >= _REFUSED
    if not entry.was_reached or (is_refused and estimate.on_error is OnError.RELEASE):
        return SettledCost(Money(0, estimate.money.currency), CostState.RELEASED)
    return SettledCost(estimate.money, CostState.KEPT if estimate.tokens is None else CostState.ESTIMATED)


def outcome_of(entry: LogEntry, cost: SettledCost | None) -> OutcomeRecord:
    """The record of what became of a call."""
    return OutcomeRecord(
        decision_id=entry.decision_id,
        time=entry.ended_at,
        status=entry.status,
        details=entry.details,
        flags=entry.flags,
        was_reached=entry.was_reached,
        request_bytes=entry.request_bytes,
        response_bytes=entry.response_bytes,
        upstream_ms=entry.upstream_ms,
        duration_ms=entry.duration_ms,
        cost=cost,
    )


def _ticket(entry: LogEntry) -> Ticket | None:
    if not entry.cost:
        return None
    try:
        return read_ticket(entry.cost)
    except ValueError as fault:
        _log.error("what decision %s costs cannot be read, and its estimate stands: %s", entry.decision_id, fault)
        return None
