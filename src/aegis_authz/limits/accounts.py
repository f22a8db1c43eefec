"""What a limit is read by when nobody calls: a charge that uses nothing."""

from __future__ import annotations

from aegis_authz.core.charge import Charge, Measure, Member, Pace, Slot, Sum
from aegis_authz.core.limit import Budget, Concurrency, Count, Distinct, Limit, Rate
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch, Millis
from aegis_authz.limits.windows import span_of


def idle_charge(limit: Limit, scope: Scope, now: Epoch) -> Charge | None:
    """A charge of nothing to an agent's account; None for flags, which have none."""
    moment = Millis(int(now * 1000))
    measure = _measure(limit, moment)
    return None if measure is None else Charge(limit, limit.holder_of(scope), measure)


def _measure(limit: Limit, now: Millis) -> Measure | None:
    match limit.terms:
        case Rate(calls, per, burst):
            return Pace(calls, per, burst, 1)
        case Budget(most, _, window, of):
            return Sum(0, most, span_of(window, now), of is None)
        case Count(most, window):
            return Sum(0, most, span_of(window, now), False)
        case Distinct(_, most, window):
            return Member((), most, span_of(window, now))
        case Concurrency(most, life):
            return Slot(most, life)
        case _:
            return None
