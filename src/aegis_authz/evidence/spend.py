"""What was spent, added up from records: the estimate of each call that was let through, or what it cost in the end."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from aegis_authz.core.effect import Effect
from aegis_authz.core.money import Money
from aegis_authz.core.record import CostState, DecisionRecord, OutcomeRecord, Record, SettledCost, UsageRecord

_THROUGH = frozenset((Effect.ALLOW, Effect.SANITIZE))


class Dimension(Enum):
    """What spend is added up by."""

    TENANT = "tenant"
    AGENT = "agent"
    TOOL = "tool"
    DAY = "day"


@dataclass(frozen=True, slots=True)
class SpendRow:
    """What calls that have `key` in common cost: one value for each dimension, and the currency.

    Amounts are micro-units. `unsettled` is the part of `micros` that is estimated: nobody told yet, or any more, what
    became of those calls. `released` counts the calls that were given back.
    """

    key: tuple[str, ...]
    currency: str
    calls: int
    micros: int
    unsettled: int
    released: int


class SpendBook:
    """Takes records in whatever order, and adds them up. A call counts once, however often its records are told."""

    def __init__(self, by: Sequence[Dimension], since: float) -> None:
        """`since` is the moment (epoch seconds) from which on calls count."""
        self._by = tuple(by)
        self._since = since
        self._calls: dict[str, tuple[tuple[str, ...], Money]] = {}
        self._outcomes: dict[str, SettledCost] = {}
        self._usages: dict[str, SettledCost] = {}

    def add(self, record: Record) -> None:
        """Take a record; those that have nothing to do with money are passed over."""
        match record:
            case DecisionRecord() if record.cost is not None and record.effect in _THROUGH:
                if record.time >= self._since:
                    self._calls[record.decision_id] = (self._key(record), record.cost)
            case OutcomeRecord() if record.cost is not None:
                # the first word on a call stands, as it does where limits are charged
                self._outcomes.setdefault(record.decision_id, record.cost)
            case UsageRecord() if record.cost.state is CostState.MEASURED:
                self._usages.setdefault(record.decision_id, record.cost)

    def rows(self) -> list[SpendRow]:
        """The sums, in order of their keys."""
        sums: dict[tuple[tuple[str, ...], str], list[int]] = {}
        for decision_id, (key, estimate) in self._calls.items():
            cost = self._usages.get(decision_id) or self._outcomes.get(decision_id)
            money = estimate if cost is None else cost.money
            total = sums.setdefault((key, money.currency), [0, 0, 0, 0])
            total[0] += 1
            total[1] += money.micros
            total[2] += money.micros if cost is None or cost.state is CostState.ESTIMATED else 0
            total[3] += cost is not None and cost.state is CostState.RELEASED
        return [SpendRow(key, currency, *total) for (key, currency), total in sorted(sums.items())]

    def _key(self, record: DecisionRecord) -> tuple[str, ...]:
        return tuple(_value(dimension, record) for dimension in self._by)


def spend_rows(records: Iterable[Record], by: Sequence[Dimension], since: float) -> list[SpendRow]:
    """What the calls in the records cost."""
    book = SpendBook(by, since)
    for record in records:
        book.add(record)
    return book.rows()


def _value(dimension: Dimension, record: DecisionRecord) -> str:
    scope = None if record.identity is None else record.identity.scope
    match dimension:
        case Dimension.TENANT:
            return "" if scope is None else scope.tenant_path
        case Dimension.AGENT:
            return "" if scope is None else str(scope)
        case Dimension.TOOL:
            return record.tool
        case Dimension.DAY:
            return time.strftime("%Y-%m-%d", time.gmtime(record.time))
