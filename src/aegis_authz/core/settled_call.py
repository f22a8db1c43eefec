"""A call whose cost is settled, as telemetry hears of it."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_authz.core.money import Money
from aegis_authz.core.record import SettledCost
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch


@dataclass(frozen=True, slots=True)
class SettledCall:
    """What a call of `scope` was estimated to cost, and what it costs in the end, settled at `time`.

    `trace` is the `traceparent` of the span that the decision continued, "" where its trace was its own.
    """

    decision_id: str
    scope: Scope
    trace: str
    time: Epoch
    estimate: Money
    cost: SettledCost
