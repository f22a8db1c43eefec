"""The memory twin of charge.lua: what is used of limits, what is counted of refusals, in plain Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from aegis_authz.core.breaker import Tally
from aegis_authz.core.charge import (
    Account,
    Adjustment,
    Charge,
    Charging,
    Excess,
    Fixed,
    Marks,
    Measure,
    Member,
    Pace,
    Rolling,
    Slot,
    Span,
    Sum,
    since_of,
)
from aegis_authz.core.limit import Exceed
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import DecisionId, Millis

_BUCKETS = 60
_MOST_FLAGS = 10_000
_EXACT = 2**53 - 1


@dataclass(frozen=True)
class _Stand:
    """How a measure stands: used, left, most, when it would fit, excess, and when its window is over."""

    total: int
    left: int
    most: int
    resets_at: int
    excess: Excess
    ends_at: int | None = None


@dataclass
class Ledger:
    """All accounts of all tenants. Every method takes the moment, in milliseconds, from the call."""

    sums: dict[tuple[str, ...], int] = field(default_factory=dict)
    buckets: dict[tuple[str, ...], dict[int, int]] = field(default_factory=dict)
    paces: dict[tuple[str, ...], Fraction] = field(default_factory=dict)
    members: dict[tuple[str, ...], dict[str, int]] = field(default_factory=dict)
    slots: dict[tuple[str, ...], dict[str, int]] = field(default_factory=dict)
    flags: dict[tuple[str, ...], dict[str, int]] = field(default_factory=dict)
    quarantined: dict[str, int] = field(default_factory=dict)
    reasons: dict[str, tuple[int, str]] = field(default_factory=dict)
    reserved: dict[str, tuple[int, list[tuple[Charge, int]]]] = field(default_factory=dict)

    def quarantined_until(self, scope: Scope, now: int) -> Millis:
        """Until when an agent is quarantined, 0 when it is not."""
        until = self.quarantined.get(str(scope), 0)
        return Millis(until if until > now else 0)

    def look(self, charges: tuple[Charge, ...], now: int, epoch: int) -> tuple[tuple[Account, ...], Exceed | None]:
        """How the charges stand, and what the strictest of those that are over asks for."""
        accounts, over = [], list[Exceed]()
        for charge in charges:
            stand = self._stand(charge, now)
            if isinstance(charge.measure, Sum) and stand.total + charge.measure.amount > _EXACT:
                over.append(Exceed.DENY)
            since = since_of(charge.measure, Millis(now))
            if stand.excess is Excess.WITHIN and epoch > since:
                ends_at = stand.ends_at if stand.ends_at is not None else epoch + now - since
                stand = _Stand(stand.total, 0, stand.most, ends_at, Excess.LOST)
            if stand.excess is not Excess.WITHIN:
                over.append(charge.limit.on_exceed)
            accounts.append(_account(charge, stand))
        return tuple(accounts), max(over, default=None)

    def charge(self, charging: Charging, accounts: tuple[Account, ...], now: int) -> tuple[Account, ...]:
        """Write all charges; returns how they stand then."""
        after, entries = [], list[tuple[Charge, int]]()
        for charge, account in zip(charging.charges, accounts, strict=True):
            is_passing_over = account.excess is not Excess.WITHIN and charge.limit.on_exceed < Exceed.APPROVAL_NEEDED
            standing = self._write(charge, charging.decision_id, now, entries, account, skips=is_passing_over)
            total, left = standing if standing is not None else (account.used, account.left)
            after.append(Account(account.limit, total, max(left, 0), account.of, account.resets_at, account.excess))
        if charging.reserve and entries:
            self.reserved[charging.decision_id] = (now + charging.reserve, entries)
        return tuple(after)

    def accounts(self, charges: Sequence[Charge], now: int) -> list[Account]:
        """How limits stand, by charges that use nothing."""
        return [_account(charge, replace(self._stand(charge, now), excess=Excess.WITHIN)) for charge in charges]

    def tally(self, tally: Tally, scope: Scope, now: int) -> None:
        """Count a refusal at its breakers."""
        for breaker in tally.breakers:
            trips = False
            for kind, most in (("refusals", breaker.refusals), ("domains", breaker.forbidden_domain)):
                if most is None or (kind == "domains" and not tally.is_forbidden_domain):
                    continue
                key = (str(scope), breaker.id, kind)
                self._add_to_bucket(key, breaker.within, now, 1)
                trips = trips or self._rolling_sum(key, breaker.within, now) >= most
            if trips:
                until = max(now + breaker.quarantine, self.quarantined_until(scope, now))
                self.quarantined[str(scope)] = until
                self.reasons[str(scope)] = (now, breaker.id)
                for kind in ("refusals", "domains"):
                    self.buckets.pop((str(scope), breaker.id, kind), None)

    def adjust(self, decision_id: DecisionId, adjustment: Adjustment, now: int) -> bool:
        """Make what a decision charged into what its call came to, once."""
        until, entries = self.reserved.pop(decision_id, (0, []))
        if until <= now:
            return False
        for charge, bucket in entries:
            key, measure = _key(charge), charge.measure
            if isinstance(measure, Slot):
                self.slots.get(key, {}).pop(decision_id, None)
            elif isinstance(measure, Sum):
                due = measure.amount
                if adjustment.gives_back:
                    due = 0
                elif measure.is_cost and adjustment.cost is not None:
                    due = adjustment.cost
                sums = self.buckets.get(key, {}) if isinstance(measure.span, Rolling) else self.sums
                account = bucket if isinstance(measure.span, Rolling) else key
                if account in sums:
                    sums[account] = max(sums[account] + due - measure.amount, 0)  # type: ignore[index]  # of either kind
        return True

    def _stand(self, charge: Charge, now: int) -> _Stand:
        key, measure = _key(charge), charge.measure
        match measure:
            case Sum(amount, most, Fixed(_, ends_at)):
                total = self.sums.get(key, 0)
                excess = Excess.OVER if total + amount > most else Excess.WITHIN
                return _Stand(total, most - total, most, 0 if amount > most else ends_at, excess, ends_at)
            case Sum(amount, most, Rolling(length)):
                return self._rolling_stand(key, amount, most, length, now)
            case Pace():
                return self._pace_stand(key, measure, now)
            case Member():
                return self._member_stand(key, measure, now)
            case Slot(most, life):
                ends = sorted(end for end in self.slots.get(key, {}).values() if end > now)
                total = len(ends)
                if total < most:
                    return _Stand(total, most - total, most, now + life, Excess.WITHIN)
                return _Stand(total, 0, most, ends[total - most], Excess.OVER)
            case Marks():
                return self._marks_stand(key, measure, now)
        raise AssertionError("every measure is one of these")

    def _rolling_stand(self, key: tuple[str, ...], amount: int, most: int, length: int, now: int) -> _Stand:
        total = self._rolling_sum(key, length, now)
        if total + amount <= most:
            return _Stand(total, most - total, most, now + length, Excess.WITHIN)
        resets_at, width = 0, -(-length // _BUCKETS)
        for number in sorted(self._live(key, length, now)):
            end = (number + 1) * width + length
            if amount <= most and self._rolling_sum(key, length, end) + amount <= most:
                resets_at = end
                break
        return _Stand(total, most - total, most, resets_at, Excess.OVER)

    def _pace_stand(self, key: tuple[str, ...], pace: Pace, now: int) -> _Stand:
        debt = self._debt(key, now)
        interval = Fraction(pace.per, pace.calls)
        total, spare = -(-debt // interval), (pace.burst - pace.amount) * interval - debt
        if spare >= 0:
            return _Stand(total, pace.burst - total, pace.burst, now + _ceil(debt), Excess.WITHIN)
        resets_at = 0 if pace.amount > pace.burst else now + _ceil(-spare)
        return _Stand(total, 0, pace.burst, resets_at, Excess.OVER)

    def _member_stand(self, key: tuple[str, ...], member: Member, now: int) -> _Stand:
        live = self._live_members(key, member.span, now)
        total, more, most = len(live), len([value for value in member.values if value not in live]), member.most
        ends_at = member.span.ends_at if isinstance(member.span, Fixed) else None
        reset = ends_at if isinstance(member.span, Fixed) else now + member.span.length
        if total + more <= most or not more:
            return _Stand(total, most - total, most, reset or 0, Excess.WITHIN, ends_at)
        resets_at = 0
        if more <= most:
            resets_at = ends_at or 0
            if isinstance(member.span, Rolling):
                resets_at = sorted(live.values())[total + more - most - 1] + member.span.length
        return _Stand(total, most - total, most, resets_at, Excess.OVER, ends_at)

    def _marks_stand(self, key: tuple[str, ...], marks: Marks, now: int) -> _Stand:
        flags = self.flags.get(key, {})
        required = len(marks.requires)
        missing = [name for name in marks.requires if flags.get(f"{marks.session}/{name}", 0) <= now]
        if missing:
            return _Stand(required - len(missing), len(missing), required, 0, Excess.FLAG_MISSING)
        until = max((flags.get(f"{marks.attested}/{name}", 0) for name in marks.unless), default=0)
        if until > now:
            return _Stand(required, 0, required, until, Excess.FLAG_SET)
        live = [end for end in flags.values() if end > now]
        if marks.sets and len(live) >= _MOST_FLAGS:
            return _Stand(_MOST_FLAGS, 0, _MOST_FLAGS, min(live), Excess.OVER)
        return _Stand(required, 0, required, 0, Excess.WITHIN)

    def _write(
        self,
        charge: Charge,
        decision_id: DecisionId,
        now: int,
        entries: list[tuple[Charge, int]],
        account: Account,
        *,
        skips: bool,
    ) -> tuple[int, int] | None:
        key, measure = _key(charge), charge.measure
        match measure:
            case Sum(amount, most, Fixed()):
                self.sums[key] = self.sums.get(key, 0) + amount
                entries.append((charge, 0))
                return self.sums[key], most - self.sums[key]
            case Sum(amount, most, Rolling(length)):
                entries.append((charge, self._add_to_bucket(key, length, now, amount)))
                return account.used + amount, most - account.used - amount
            case Pace(calls, per, burst, count) if not skips:
                interval = Fraction(per, calls)
                self.paces[key] = now + self._debt(key, now) + interval * count
                total = -(-self._debt(key, now) // interval)
                return total, burst - total
            case Member(values, most, span) if not skips:
                live = self._live_members(key, span, now)
                self.members[key] = live | {value: max(now, live.get(value, 0)) for value in values}
                return len(self.members[key]), most - len(self.members[key])
            case Slot(most, life) if not skips:
                live = {name: end for name, end in self.slots.get(key, {}).items() if end > now}
                self.slots[key] = {**live, decision_id: now + life}
                entries.append((charge, 0))
                return len(self.slots[key]), most - len(self.slots[key])
            case Marks(session, attested, sets, _, _, life) if not (skips and account.excess is Excess.OVER):
                flags = {name: end for name, end in self.flags.get(key, {}).items() if end > now}
                for name in sets:
                    for member in (f"{session}/{name}", f"{attested}/{name}", f"/{name}"):
                        flags[member] = max(flags.get(member, 0), now + life)
                self.flags[key] = flags
        return None

    def _debt(self, key: tuple[str, ...], now: int) -> Fraction:
        return max(self.paces.get(key, Fraction(0)) - now, Fraction(0))

    def _live(self, key: tuple[str, ...], length: int, now: int) -> dict[int, int]:
        width = -(-length // _BUCKETS)
        return {
            number: amount
            for number, amount in self.buckets.get(key, {}).items()
            if (number + 1) * width > now - length
        }

    def _rolling_sum(self, key: tuple[str, ...], length: int, now: int) -> int:
        return sum(self._live(key, length, now).values())

    def _add_to_bucket(self, key: tuple[str, ...], length: int, now: int, amount: int) -> int:
        width, live = -(-length // _BUCKETS), self._live(key, length, now)
        number = now // width
        live[number] = live.get(number, 0) + amount
        self.buckets[key] = live
        return number

    def _live_members(self, key: tuple[str, ...], span: Span, now: int) -> dict[str, int]:
        members = self.members.get(key, {})
        if isinstance(span, Fixed):
            return dict(members)
        return {value: last for value, last in members.items() if last > now - span.length}


def _key(charge: Charge) -> tuple[str, ...]:
    if isinstance(charge.measure, Marks):
        return (charge.holder,)
    return (charge.limit.id, charge.holder, _window(charge.measure))


def _window(measure: Measure) -> str:
    return str(measure.span.starts_at) if isinstance(measure, Sum | Member) and isinstance(measure.span, Fixed) else ""


def _account(charge: Charge, stand: _Stand) -> Account:
    left, resets_at = max(stand.left, 0), Millis(stand.resets_at)
    return Account(charge.limit.id, stand.total, left, stand.most, resets_at, stand.excess)


def _ceil(value: Fraction) -> int:
    return -(-value.numerator // value.denominator)
