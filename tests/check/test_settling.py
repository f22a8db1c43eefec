"""What a call costs in the end: given back where nothing was done, kept where nobody knows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest

from aegis_authz.check.settling import Settler, adjustment_of, settled_cost
from aegis_authz.core.approval import ApprovalNotFound, CallOutcome
from aegis_authz.core.charge import Adjustment
from aegis_authz.core.money import Money
from aegis_authz.core.price import ModelPrice, OnError
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import CostState, OutcomeRecord, Record, SettledCost, UsageRecord
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.core.settled_call import SettledCall
from aegis_authz.core.units import ApprovalId, DecisionId, Epoch
from aegis_authz.costs.estimate import Estimate, TokenTerms
from aegis_authz.costs.ticket import Ticket, read_ticket, ticket_text
from aegis_authz.costs.usage import Usage
from aegis_authz.ports.data_plane import StoreDown
from aegis_authz.wire.envoy.access_log import LogEntry

SCOPE = Scope("acme", "emea", "bot")
NO_APPROVAL = ApprovalId("")
COST = Money(42_000, "USD")
FIXED = Ticket(SCOPE, Estimate(COST, OnError.RELEASE, None), True, False, NO_APPROVAL)
KEPT = Ticket(SCOPE, Estimate(COST, OnError.KEEP, None), True, False, NO_APPROVAL)
TOKENS = TokenTerms(ModelPrice("USD", 1, 1, 1, 2, None, 7), 10, 20)
MODEL_COST = Estimate(COST, OnError.RELEASE, TOKENS)
MODEL = Ticket(SCOPE, MODEL_COST, True, False, NO_APPROVAL)
FREE = Ticket(SCOPE, None, True, False, NO_APPROVAL)
PLACED = Ticket(SCOPE, None, True, True, NO_APPROVAL)
ALLOWED = Ticket(SCOPE, None, False, False, ApprovalId("apr_1"))
TRACE = f"00-{'a' * 32}-{'b' * 16}-01"
DONE = LogEntry("d-1", ticket_text(FIXED), TRACE, 2.0, 200, "via_upstream", (), True, 1, 2, 3.0, 4.0)


def ended(status: int, details: str = "via_upstream", reached: bool = True) -> LogEntry:
    return replace(DONE, status=status, details=details, was_reached=reached)


@pytest.mark.parametrize(
    ("ticket", "entry", "state"),
    [
        (FIXED, ended(200), CostState.KEPT),
        (FIXED, ended(302), CostState.KEPT),
        (FIXED, ended(402), CostState.RELEASED),
        (FIXED, ended(500), CostState.RELEASED),
        (KEPT, ended(402), CostState.KEPT),
        (KEPT, ended(500), CostState.KEPT),
        (MODEL, ended(200), CostState.ESTIMATED),
        (MODEL, ended(429), CostState.RELEASED),
        (FIXED, ended(503, "upstream_reset_before_response_started{connection_failure}", False), CostState.RELEASED),
        (KEPT, ended(503, "upstream_reset_before_response_started{connection_failure}", False), CostState.RELEASED),
        (FIXED, ended(503, "upstream_reset_before_response_started{connection_termination}"), CostState.KEPT),
        (FIXED, ended(504, "response_timeout"), CostState.KEPT),
        (FIXED, ended(502, "aegis_response_withheld"), CostState.KEPT),
        (FIXED, ended(0, "downstream_remote_disconnect"), CostState.KEPT),
        (MODEL, ended(0, "downstream_remote_disconnect"), CostState.ESTIMATED),
    ],
)
def test_what_a_call_costs_in_the_end(ticket: Ticket, entry: LogEntry, state: CostState) -> None:
    assert ticket.estimate is not None
    cost = settled_cost(ticket.estimate, entry)
    adjustment = adjustment_of(ticket.estimate, entry)
    if state is CostState.ESTIMATED and entry.status == 200:
        assert adjustment is None
    else:
        assert adjustment == Adjustment(gives_back=state is CostState.RELEASED, cost=None)
    assert cost.state is state
    assert cost.money == (Money(0, "USD") if state is CostState.RELEASED else COST)


@pytest.mark.parametrize(
    "ticket", [FIXED, KEPT, MODEL, FREE, PLACED, Ticket(SCOPE, None, False, False, NO_APPROVAL), ALLOWED]
)
def test_a_ticket_reads_as_it_was_written(ticket: Ticket) -> None:
    assert read_ticket(ticket_text(ticket)) == ticket


@pytest.mark.parametrize(
    "text",
    [
        *("", "{}", "[]", "null", ticket_text(FIXED)[:-1]),
        *(ticket_text(FIXED).replace(*change) for change in (("42000", "-1"), ("true", "1"), ("false", "null"))),
        ticket_text(ALLOWED).replace('"apr_1"', "1"),
    ],
)
def test_another_text_is_no_ticket(text: str) -> None:
    with pytest.raises(ValueError):
        read_ticket(text)


@dataclass
class Log:
    """A record log that takes what it is given, or refuses all, or the records of one decision."""

    refuses: bool = False
    refused_id: str = ""
    is_down: bool = False
    records: list[Record] = field(default_factory=list)
    adjusted: list[tuple[str, bool, int | None]] = field(default_factory=list)
    confirmed: list[list[str]] = field(default_factory=list)
    concluded: list[tuple[str, CallOutcome]] = field(default_factory=list)
    spans: list[SettledCall] = field(default_factory=list)

    async def conclude(self, approval_id: ApprovalId, outcome: CallOutcome) -> bool:
        if self.is_down:
            raise StoreDown("gone")
        if approval_id == "nonsense":
            raise ApprovalNotFound("not an approval id")
        self.concluded.append((approval_id, outcome))
        return True

    async def adjust(self, scope: Scope, decision_id: str, adjustment: Adjustment) -> bool:
        if self.is_down:
            raise StoreDown("gone")
        assert scope == SCOPE
        self.adjusted.append((decision_id, adjustment.gives_back, adjustment.cost))
        return True

    async def confirm(self, decisions: Sequence[tuple[Scope, DecisionId]]) -> None:
        if self.is_down:
            raise StoreDown("gone")
        assert {scope for scope, _ in decisions} == {SCOPE}
        self.confirmed.append([decision_id for _, decision_id in decisions])

    def now(self) -> float:
        return 7.0

    def monotonic(self) -> float:
        return 7.0

    def settled(self, call: SettledCall) -> None:
        self.spans.append(call)

    async def append(self, record: Record) -> None:
        if self.refuses:
            raise Refused(Reason.RECORD_FAILED, "disk full")
        if self.refused_id and getattr(record, "decision_id", "") == self.refused_id:
            raise Refused(Reason.RECORD_FAILED, "no JSON form")
        self.records.append(record)

    async def append_all(self, records: Sequence[Record]) -> None:
        if self.refuses or self.refused_id in [getattr(record, "decision_id", "") for record in records]:
            raise Refused(Reason.RECORD_FAILED, "one of them, perhaps")
        self.records += records


async def test_an_outcome_is_recorded_with_what_it_cost() -> None:
    log = Log()
    await Settler(log, log, log, log, log).settle([DONE, replace(DONE, decision_id="d-2", cost="")])
    first, second = log.records
    assert isinstance(first, OutcomeRecord) and isinstance(second, OutcomeRecord)
    assert (first.decision_id, first.status, first.upstream_ms) == ("d-1", 200, 3.0)
    assert first.cost is not None and first.cost.money == COST
    assert second.cost is None


async def test_the_outcome_of_a_call_that_an_approval_let_through_is_noted_at_the_approval() -> None:
    log = Log()
    await Settler(log, log, log, log, log).settle([replace(DONE, cost=ticket_text(ALLOWED)), DONE])
    assert log.concluded == [("apr_1", CallOutcome(200, Epoch(2.0), True))]
    assert log.confirmed == [["d-1"]]  # the charge of the second alone: the first has none


@pytest.mark.parametrize(
    ("log", "approval", "records"),
    [(Log(is_down=True), "apr_1", 1), (Log(), "nonsense", 1), (Log(refuses=True), "apr_1", 0)],
    ids=["store down", "no approval", "no record"],
)
async def test_an_outcome_that_cannot_be_noted_stays_unknown_and_stops_nobody(
    log: Log, approval: str, records: int
) -> None:
    ticket = replace(ALLOWED, approval=ApprovalId(approval))
    await Settler(log, log, log, log, log).settle([replace(DONE, cost=ticket_text(ticket))])
    assert (log.concluded, len(log.records)) == ([], records)


async def test_an_unreadable_ticket_leaves_the_estimate_and_the_outcome() -> None:
    log = Log()
    await Settler(log, log, log, log, log).settle([replace(DONE, cost="{")])
    assert [type(record) for record in log.records] == [OutcomeRecord]


async def test_a_log_that_takes_nothing_stops_nobody() -> None:
    full = Log(refuses=True)
    await Settler(full, full, full, full, full).settle([DONE])
    await Settler(full, full, full, full, full).measure("d-1", MODEL, MODEL_COST, None, TRACE)


async def test_an_outcome_that_cannot_be_recorded_keeps_no_other_from_being_settled() -> None:
    log = Log(refused_id="d-2")
    entries = [replace(DONE, decision_id=f"d-{number}") for number in (1, 2, 3)]
    await Settler(log, log, log, log, log).settle(entries)
    assert [record.decision_id for record in log.records if isinstance(record, OutcomeRecord)] == ["d-1", "d-3"]
    assert log.confirmed == [["d-1", "d-3"]]


async def test_a_usage_is_recorded_with_what_the_call_costs_by_it() -> None:
    log = Log()
    settler = Settler(log, log, log, log, log)
    await settler.measure("d-1", MODEL, MODEL_COST, Usage(9, 0, 0, 20), TRACE)
    await settler.measure("d-2", MODEL, MODEL_COST, Usage(9, 0, 0, 21), TRACE)
    await settler.measure("d-3", MODEL, MODEL_COST, None, TRACE)
    assert log.records == [
        UsageRecord("d-1", 7.0, (9, 0, 0, 20), SettledCost(Money(1, "USD"), CostState.MEASURED)),
        UsageRecord("d-2", 7.0, (9, 0, 0, 21), SettledCost(COST, CostState.ESTIMATED)),
        UsageRecord("d-3", 7.0, None, SettledCost(COST, CostState.ESTIMATED)),
    ]


async def test_what_was_reserved_is_adjusted_once_it_is_on_record() -> None:
    log = Log()
    settler = Settler(log, log, log, log, log)
    entries = [
        replace(DONE, decision_id="kept"),
        replace(ended(500), decision_id="back"),
        replace(DONE, decision_id="model", cost=ticket_text(MODEL)),
        replace(DONE, decision_id="free", cost=ticket_text(FREE)),
        replace(DONE, decision_id="placed", cost=ticket_text(PLACED)),
        replace(ended(0, "", False), decision_id="nobody", cost=ticket_text(FREE)),
        replace(DONE, decision_id="unlimited", cost=ticket_text(replace(FIXED, reserved=False))),
        replace(DONE, decision_id="plain", cost=""),
    ]
    await settler.settle(entries)
    await settler.measure("model", MODEL, MODEL_COST, Usage(9, 0, 0, 20), TRACE)
    await settler.measure("silent", MODEL, MODEL_COST, None, TRACE)
    assert sorted(log.adjusted[:3]) == [("back", True, None), ("nobody", True, None), ("placed", False, None)]
    assert log.confirmed == [["kept", "free"]]  # all that stand as they were charged in one go
    assert log.adjusted[3:] == [("model", False, 1), ("silent", False, None)]


async def test_what_is_not_on_record_is_not_adjusted_and_a_store_that_is_down_stops_nobody() -> None:
    for log in (Log(refuses=True), Log(is_down=True)):
        await Settler(log, log, log, log, log).settle([DONE, ended(500)])
        assert (log.adjusted, log.confirmed) == ([], [])


async def test_a_settled_cost_is_told_beside_its_estimate_in_the_trace_of_its_decision() -> None:
    log = Log()
    settler = Settler(log, log, log, log, log)
    model = replace(DONE, decision_id="model", cost=ticket_text(MODEL))
    await settler.settle(
        [DONE, replace(ended(500), decision_id="back"), model, replace(DONE, cost="", decision_id="x")]
    )
    await settler.measure("model", MODEL, MODEL_COST, Usage(9, 0, 0, 20), TRACE)
    kept, released, measured = (
        SettledCost(COST, CostState.KEPT),
        SettledCost(Money(0, "USD"), CostState.RELEASED),
        SettledCost(Money(1, "USD"), CostState.MEASURED),
    )
    assert log.spans == [
        SettledCall("d-1", SCOPE, TRACE, 2.0, COST, kept),
        SettledCall("back", SCOPE, TRACE, 2.0, COST, released),
        SettledCall("model", SCOPE, TRACE, 7.0, COST, measured),  # once: its usage has the word
    ]


async def test_what_is_not_on_record_or_of_no_known_trace_has_no_span() -> None:
    full, log = Log(refuses=True), Log()
    await Settler(full, full, full, full, full).settle([DONE])
    await Settler(full, full, full, full, full).measure("d-1", MODEL, MODEL_COST, None, TRACE)
    await Settler(log, log, log, log, log).settle([replace(DONE, trace=None)])
    assert (full.spans, log.spans) == ([], [])
