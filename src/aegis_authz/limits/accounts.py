"""What a limit is read by when nobody calls: a charge that uses nothing."""

from __future__ import annotations

from aegis_authz.core.charge import Charge, Measure, Member, Pace, Rolling, Slot, Span, Sum
from aegis_authz.core.limit import Budget, CalendarWindow, Concurrency, Count, Distinct, Limit, Per, Rate, Window
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch, Millis
from aegis_authz.limits.windows import fixed_window


def idle_charge(limit: Limit, scope: Scope, now: Epoch) -> Charge | None:
    """A charge of nothing to an agent's account; None for flags, which have none."""
    moment = Millis(int(now * 1000))
    measure = _measure(limit, moment)
    holder = str(scope) if limit.per is Per.AGENT else scope.tenant_path
    return None if measure is None else Charge(limit, holder, measure, moment)


def _measure(limit: Limit, now: Millis) -> Measure | None:
    match limit.terms:
        case Rate(calls, per, burst):
            return Pace(calls, per, burst)
        case Budget(most, _, window, of):
            return Sum(0, most, _span(window, now), of is None)
        case Count(most, window):
            return Sum(0, most, _span(window, now), False)
        case Distinct(_, most, window):
            return Member((), most, _span(window, now))
        case Concurrency(most, life):
            return Slot(most, life)
        case _:
            return None


def _span(window: Window, now: Millis) -> Span:
    return fixed_window(window, now) if isinstance(window, CalendarWindow) else Rolling(window.length)
