"""What plain.lua and charge.lua take and give: charges and counted refusals as operations, and how charges stand."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple

from aegis_authz.adapters.redis import keys as redis_keys
from aegis_authz.core.breaker import Breaker
from aegis_authz.core.charge import (
    Account,
    Charge,
    Charging,
    Excess,
    Fixed,
    Marks,
    Member,
    Pace,
    Rolling,
    Slot,
    Sum,
    since_of,
)
from aegis_authz.core.limit import Limit
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import Settlement
from aegis_authz.core.units import LimitId, Millis

_MOST_PLAIN = 32
"""Charges that are sent as one operation: what they are unpacked to has to fit on a script's stack."""
_SUM, _PACE = 1, 2
_STANDING = struct.Struct("<6d")
_MOVING = [struct.Struct(f"<{count + 3}d") for count in range(_MOST_PLAIN + 1)]
_MOST_ENTRIES = 4096
_NO_WINDOW = -1


class Operation(NamedTuple):
    """One operation of the settle script."""

    name: str
    keys: Sequence[str]
    arguments: tuple[str | bytes | int, ...]


class PlainEntry(NamedTuple):
    """What stays the same of a plain charge: of which limit and measure, its account, and how it is written."""

    limit: Limit
    standing: tuple[object, ...]
    account: str
    numbers: bytes
    line: str
    end: str


class PlainCharges(NamedTuple):
    """What a call is charged where all are sums in windows that stand still, or paces. Spans are milliseconds.

    `mark` is the key that says in which life nothing counts as forgotten. `is_alone` says that nothing follows, but for
    an approval that is for a call over its limits.
    """

    mark: str
    reserved: str
    entries: Sequence[PlainEntry]
    amounts: Sequence[int]
    reserve: int
    margin: int
    reservation: str
    is_alone: bool

    def operation(self) -> Operation:
        """The charges as one operation of the settle script."""
        moving = _MOVING[len(self.entries)].pack(self.is_alone, self.reserve, self.margin, *self.amounts)
        numbers = b"".join([*[entry.numbers for entry in self.entries], moving])
        keys = (self.mark, self.reserved, *[entry.account for entry in self.entries])
        return Operation("plain", keys, (numbers, self.reservation))


_ENTRIES: dict[tuple[LimitId, str, int], PlainEntry] = {}
"""By limit, holder and window. To hash an account's name costs more than all else of a charge, and most are of accounts
seen before."""


def operations_of(settlement: Settlement, partition: str, now: Millis, margin: Millis | int) -> Sequence[Operation]:
    """What is charged and what is counted, each as an operation.

    `partition` is that of the tenant. `margin` is how many milliseconds longer than its window a key is kept: clocks
    differ.
    """
    charging, tally = settlement.charging, settlement.tally
    if charging is not None:
        keys = (redis_keys.counted(partition), redis_keys.reserved(partition, charging.decision_id))
        ledger = Operation("ledger", keys, (charging.decision_id, charging.reserve, margin))
        return (ledger, *[_operation(charge, partition, now) for charge in charging.charges])
    if tally is not None:
        scope = settlement.identity.scope
        return [_tally(breaker, scope, is_forbidden_domain=tally.is_forbidden_domain) for breaker in tally.breakers]
    return ()


def plain_charges(settlement: Settlement, partition: str, margin: int) -> PlainCharges | None:
    """What is charged, as numbers; None where nothing is, or a charge is another than a sum or a pace.

    `partition` and `margin` are as `operations_of` has them.
    """
    charging = settlement.charging
    if charging is None:
        return None
    has_approval = settlement.claims is not None or settlement.opens is not None
    is_alone = not settlement.grants and (charging.is_held_when_over or not has_approval)
    decision_id, charges, reserve, _ = charging
    if len(charges) > _MOST_PLAIN:
        return None
    entries: list[PlainEntry] = []
    amounts: list[int] = []
    lines: list[str] = []
    for limit, holder, measure in charges:
        if isinstance(measure, Sum):
            span = measure.span
            if not isinstance(span, Fixed):
                return None
            entry = _ENTRIES.get((limit.id, holder, span.starts_at))
            if entry is None or entry.limit is not limit or entry.standing != measure[1:]:
                entry = _sum_entry(partition, limit, holder, measure, span)
        elif isinstance(measure, Pace):
            entry = _ENTRIES.get((limit.id, holder, _NO_WINDOW))
            if entry is None or entry.limit is not limit or entry.standing != measure[:3]:
                entry = _pace_entry(partition, limit, holder, measure)
        else:
            return None
        amount = measure.amount
        entries.append(entry)
        amounts.append(amount)
        if entry.line:
            lines.append(f"{entry.line}{amount}{entry.end}")
    keys = (redis_keys.counted(partition), redis_keys.reserved(partition, decision_id))
    reservation = "\n".join(lines) if reserve else ""
    return PlainCharges(*keys, entries, amounts, reserve, margin, reservation, is_alone)


def _sum_entry(partition: str, limit: Limit, holder: str, measure: Sum, span: Fixed) -> PlainEntry:
    strictness, is_cost = limit.on_exceed.strictness, measure.is_cost
    account = redis_keys.limit(partition, limit.id, holder, span.starts_at)
    numbers = _STANDING.pack(_SUM, strictness, measure.most, span.starts_at, span.ends_at, is_cost)
    entry = PlainEntry(limit, measure[1:], account, numbers, f"sum {account} - ", f" {is_cost:d}")
    return _remembered((limit.id, holder, span.starts_at), entry)


def _pace_entry(partition: str, limit: Limit, holder: str, measure: Pace) -> PlainEntry:
    calls, per, burst, _ = measure
    account = redis_keys.limit(partition, limit.id, holder, "")
    numbers = _STANDING.pack(_PACE, limit.on_exceed.strictness, calls, per, burst, 0)
    return _remembered((limit.id, holder, _NO_WINDOW), PlainEntry(limit, measure[:3], account, numbers, "", ""))


def _remembered(name: tuple[LimitId, str, int], entry: PlainEntry) -> PlainEntry:
    if len(_ENTRIES) >= _MOST_ENTRIES:
        _ENTRIES.clear()
    _ENTRIES[name] = entry
    return entry


def _operation(charge: Charge, partition: str, now: Millis) -> Operation:
    prefix = (charge.limit.on_exceed.strictness, since_of(charge.measure, now))

    def key(window: str | int) -> tuple[str]:
        return (redis_keys.limit(partition, charge.limit.id, charge.holder, window),)

    match charge.measure:
        case Sum(amount, most, Fixed(starts_at, ends_at), is_cost):
            return Operation("sum", key(starts_at), (*prefix, amount, most, starts_at, ends_at, int(is_cost)))
        case Sum(amount, most, Rolling(length), is_cost):
            return Operation("roll", key(""), (*prefix, amount, most, length, int(is_cost)))
        case Pace(calls, per, burst, amount):
            return Operation("pace", key(""), (*prefix, calls, per, burst, amount))
        case Member(values, most, Fixed(starts_at, ends_at)):
            return Operation("member", key(starts_at), (*prefix, " ".join(values), most, starts_at, ends_at))
        case Member(values, most, Rolling(length)):
            return Operation("member", key(""), (*prefix, " ".join(values), most, -1, length))
        case Slot(most, life):
            return Operation("slot", key(""), (*prefix, most, life))
        case Marks(session, attested, sets, requires, unless, life):
            names = (" ".join(flags) for flags in (sets, requires, unless))
            keys = (redis_keys.flags(partition, charge.holder),)
            return Operation("marks", keys, (*prefix, session, attested, *names, life))
        case _:
            raise AssertionError("every charge is one of these")


def _tally(breaker: Breaker, scope: Scope, *, is_forbidden_domain: bool) -> Operation:
    keys = (*redis_keys.refusals(scope, breaker.id), redis_keys.quarantine(scope))
    most = (breaker.refusals or 0, breaker.forbidden_domain or 0)
    return Operation("tally", keys, (breaker.id, *most, int(is_forbidden_domain), breaker.within, breaker.quarantine))


def read_plain_accounts(numbers: object, charging: Charging | None, now: Millis) -> tuple[Account, ...]:
    """How plain charges of a call at `now` stand, which are all within their limits. Raises ValueError for others."""
    if charging is None or not isinstance(numbers, list) or len(numbers) != len(charging.charges):
        raise ValueError("not a number for each charge")
    accounts: list[Account] = []
    within = Excess.WITHIN
    for (limit, _, measure), number in zip(charging.charges, numbers, strict=True):
        if type(number) is not int or number < 0:
            raise ValueError("not a number for each charge")
        if isinstance(measure, Sum) and isinstance(measure.span, Fixed):
            most = measure.most
            used, resets_at = number, measure.span.ends_at
        elif isinstance(measure, Pace):
            calls, per, most, amount = measure
            used, resets_at = amount - (-number // per), Millis(now - (-number // calls))
        else:
            raise ValueError("an account of a charge that is not plain")  # noqa: TRY004  # an answer of the store, no argument
        if used > most:
            raise ValueError("not how a plain charge can stand")
        accounts.append(Account(limit.id, used, most - used, most, resets_at, within))
    return tuple(accounts)


def read_accounts(text: str, charging: Charging | None) -> tuple[Account, ...]:
    """How the charges stand; none where it did not come to that. Raises ValueError for anything else."""
    if not text:
        return ()
    rows = [row.split(" ") for row in text.split(",")]
    if charging is None or len(rows) != len(charging.charges) or any(len(row) != 5 for row in rows):
        raise ValueError("not one account a charge")
    return tuple(
        Account(charge.limit.id, int(used), int(left), int(most), Millis(int(resets_at)), Excess(excess))
        for charge, (used, left, most, resets_at, excess) in zip(charging.charges, rows, strict=True)
    )
