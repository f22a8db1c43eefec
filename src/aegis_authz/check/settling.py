"""What a call costs in the end, from what became of it, and the record of that."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from aegis_authz.core.approval import ApprovalNotFound, CallOutcome
from aegis_authz.core.charge import Adjustment
from aegis_authz.core.money import Money
from aegis_authz.core.price import OnError
from aegis_authz.core.record import AGENT_REPORT, GOOD, CostState, OutcomeRecord, SettledCost, UsageRecord
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.core.settled_call import SettledCall
from aegis_authz.core.units import ApprovalId, DecisionId, Epoch
from aegis_authz.costs.estimate import Estimate
from aegis_authz.costs.ticket import Ticket, read_ticket
from aegis_authz.costs.usage import Usage, measured
from aegis_authz.ports.data_plane import (
    ApprovalOutcomes,
    Clock,
    OutcomeLog,
    Reservations,
    SettlementTelemetry,
    StoreDown,
)
from aegis_authz.wire.envoy.access_log import LogEntry

_log = logging.getLogger(__name__)
# of response code details: the answer is the tool's own, and none of Envoy's or ours
_FROM_THE_TOOL = ("via_upstream", AGENT_REPORT)
_REFUSED = 400
_AS_CHARGED = Adjustment(gives_back=False, cost=None)


class _CallEnd(NamedTuple):
    """A call that is over: what Envoy says of it, its ticket, its record, and what that makes of what it charged."""

    entry: LogEntry
    ticket: Ticket | None
    outcome: OutcomeRecord
    adjustment: Adjustment | None


@dataclass(frozen=True, slots=True)
class Settler:
    """Settles calls by what became of them and by what they used: on record first, then where limits were charged.

    What cannot be recorded is not settled, and what cannot be settled is logged: it is charged as it was estimated.
    """

    records: OutcomeLog
    reservations: Reservations
    approvals: ApprovalOutcomes
    clock: Clock
    telemetry: SettlementTelemetry

    async def settle(self, entries: Sequence[LogEntry]) -> None:
        """Take what Envoy tells of calls that are over; what stands as it was charged is confirmed in one go."""
        confirmed: list[tuple[Scope, DecisionId]] = []
        others: list[Coroutine[None, None, None]] = []
        for call in await self._with_records([*map(_end_of, entries)]):
            self._tell(call)
            ticket = call.ticket
            if ticket is None:
                continue
            stands = ticket.reserved and not ticket.under_way and call.adjustment == _AS_CHARGED
            if stands:
                confirmed.append((ticket.scope, DecisionId(call.entry.decision_id)))
            adjustment = None if stands else call.adjustment
            if ticket.approval or adjustment is not None:
                others.append(self._finish(call, ticket, adjustment))
        if others:
            await asyncio.gather(*others)
        if not confirmed:
            return
        try:
            await self.reservations.confirm(confirmed)
        except StoreDown as fault:
            _log.error("%d decisions are not confirmed, and stay as they were charged: %s", len(confirmed), fault)

    async def measure(
        self, decision_id: str, ticket: Ticket, estimate: Estimate, usage: Usage | None, trace: str
    ) -> None:
        """Take the usage of an answer that is over. One that was left out, or cannot be, leaves the estimate."""
        money = None if usage is None or estimate.tokens is None else measured(usage, estimate.tokens)
        cost = SettledCost(estimate.money, CostState.ESTIMATED)
        if money is not None:
            cost = SettledCost(money, CostState.MEASURED)
        tokens = None if usage is None else (usage.input, usage.cached, usage.cache_write, usage.output)
        now = self.clock.now()
        if not await self._keep(UsageRecord(decision_id, now, tokens, cost)):
            return
        self.telemetry.settled(SettledCall(decision_id, ticket.scope, trace, now, estimate.money, cost))
        if ticket.reserved:
            adjustment = Adjustment(gives_back=False, cost=None if money is None else money.micros)
            await self._adjust(ticket.scope, decision_id, adjustment)

    async def _with_records(self, ends: Sequence[_CallEnd]) -> list[_CallEnd]:
        """Those of which it is on record what became of them."""
        try:
            await self.records.append_all([call.outcome for call in ends])
        except Refused:  # of one of them, perhaps
            kept = await asyncio.gather(*[self._keep(call.outcome) for call in ends])
            return [call for call, is_kept in zip(ends, kept, strict=True) if is_kept]
        return [*ends]

    def _tell(self, call: _CallEnd) -> None:
        """Tell of a cost that is settled."""
        entry, ticket, outcome = call.entry, call.ticket, call.outcome
        estimate = ticket.estimate if ticket is not None else None
        if ticket is None or estimate is None or outcome.cost is None or entry.trace is None or outcome.is_superseded:
            return
        moment, cost = Epoch(outcome.time), outcome.cost
        self.telemetry.settled(SettledCall(entry.decision_id, ticket.scope, entry.trace, moment, estimate.money, cost))

    async def _finish(self, call: _CallEnd, ticket: Ticket, adjustment: Adjustment | None) -> None:
        """Note what became of the call at its approval, and adjust what it charged."""
        if ticket.approval:
            await self._conclude(ticket.approval, call.entry)
        if adjustment is not None:
            await self._adjust(ticket.scope, call.entry.decision_id, adjustment)

    async def _conclude(self, approval_id: ApprovalId, entry: LogEntry) -> None:
        outcome = CallOutcome(entry.status, Epoch(entry.ended_at), entry.was_reached)
        try:
            await self.approvals.conclude(approval_id, outcome)
        except (StoreDown, ApprovalNotFound) as fault:
            _log.error("the outcome of the call that used approval %s stays unknown: %s", approval_id, fault)

    async def _keep(self, record: OutcomeRecord | UsageRecord) -> bool:
        try:
            await self.records.append(record)
        except Refused as refusal:
            _log.error("what became of decision %s was not recorded: %s", record.decision_id, refusal)
            return False
        return True

    async def _adjust(self, scope: Scope, decision_id: str, adjustment: Adjustment) -> None:
        try:
            await self.reservations.adjust(scope, DecisionId(decision_id), adjustment)
        except StoreDown as fault:
            _log.error("decision %s stays charged as it was estimated: %s", decision_id, fault)


def adjustment_of(estimate: Estimate | None, entry: LogEntry) -> Adjustment | None:
    """What an outcome makes of what limits were charged.

    None for the good answer of a language model: that was watched, and its usage has the word.
    """
    if is_released(OnError.RELEASE if estimate is None else estimate.on_error, entry):
        return Adjustment(gives_back=True, cost=None)
    is_watched = entry.details != AGENT_REPORT  # a function has no answer that its usage could be read from
    if is_watched and estimate is not None and estimate.tokens is not None and entry.status in GOOD:
        return None
    return _AS_CHARGED


def settled_cost(estimate: Estimate, entry: LogEntry) -> SettledCost:
    """What is charged in the end.

    Nothing where nothing was sent to the tool, nor, unless the catalogue keeps it, where the tool itself refused the
    call or failed. Where it was reached and nobody knows what it did (a reset, a timeout, a client that left), the
    estimate stands.
    """
    if is_released(estimate.on_error, entry):
        return SettledCost(Money(0, estimate.money.currency), CostState.RELEASED)
    return SettledCost(estimate.money, CostState.KEPT if estimate.tokens is None else CostState.ESTIMATED)


def is_released(on_error: OnError, entry: LogEntry | OutcomeRecord) -> bool:
    """Whether a call that ended so is charged nothing: it was not reached, or the tool refused it itself."""
    is_refused = entry.details in _FROM_THE_TOOL and entry.status >= _REFUSED
    return not entry.was_reached or (is_refused and on_error is OnError.RELEASE)


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


def _end_of(entry: LogEntry) -> _CallEnd:
    ticket = _ticket(entry)
    if ticket is None:
        return _CallEnd(entry, None, outcome_of(entry, None), None)
    estimate = ticket.estimate
    cost = None if estimate is None else settled_cost(estimate, entry)
    return _CallEnd(entry, ticket, outcome_of(entry, cost), adjustment_of(estimate, entry) if ticket.reserved else None)


def _ticket(entry: LogEntry) -> Ticket | None:
    if not entry.cost:
        return None
    try:
        return read_ticket(entry.cost)
    except ValueError as fault:
        _log.error("what decision %s costs cannot be read, and its estimate stands: %s", entry.decision_id, fault)
        return None
