"""What plain.lua and charge.lua take and give: charges and counted refusals as operations, and how charges stand."""

from __future__ import annotations

import struct
from collections.abc import Iterator
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
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import Settlement
from aegis_authz.core.units import Millis

_MOST_PLAIN = 32
"""Charges that are sent as one operation: what they are unpacked to has to fit on a script's stack."""
_SUM, _PACE = 1, 2
_WIDTH = 7
_PACKED = [struct.Struct(f"<{count * _WIDTH}d") for count in range(_MOST_PLAIN + 1)]


class Operation(NamedTuple):
    """One operation of the settle script."""

    name: str
    keys: tuple[str, ...]
    arguments: tuple[str | bytes | int, ...]


def operations_of(settlement: Settlement, partition: str, now: Millis, margin: Millis | int) -> Iterator[Operation]:
    """What is charged and what is counted, each as an operation, or all charges as one where they are plain.

    `partition` is that of the tenant. `margin` is how many milliseconds longer than its window a key is kept: clocks
    differ.
    """
    scope = settlement.identity.scope
    charging, tally = settlement.charging, settlement.tally
    if charging is not None:
        keys = (redis_keys.counted(partition), redis_keys.reserved(partition, charging.decision_id))
        ledger = (charging.decision_id, charging.reserve, margin)
        has_approval = settlement.claims is not None or settlement.opens is not None
        is_alone = not settlement.grants and (charging.is_held_when_over or not has_approval)
        plain = _plain(charging, partition)
        if plain is not None:
            accounts, numbers, lines = plain
            yield Operation("plain", (*keys, *accounts), (*ledger, "1" if is_alone else "0", numbers, lines))
        else:
            yield Operation("ledger", keys, ledger)
            for charge in charging.charges:
                yield _operation(charge, partition, now)
    if tally is not None:
        for breaker in tally.breakers:
            yield _tally(breaker, scope, is_forbidden_domain=tally.is_forbidden_domain)


def _plain(charging: Charging, partition: str) -> tuple[list[str], bytes, str] | None:
    """The accounts of charges that are sums in windows that stand still, and paces; their numbers; what is reserved.

    None where a charge is another.
    """
    accounts: list[str] = []
    numbers: list[int] = []
    lines: list[str] = []
    for charge in charging.charges:
        limit, measure = charge.limit, charge.measure
        if isinstance(measure, Sum):
            span, amount, is_cost = measure.span, measure.amount, measure.is_cost
            if not isinstance(span, Fixed):
                return None
            starts_at = span.starts_at
            account = redis_keys.limit(partition, limit.id, charge.holder, starts_at)
            numbers += (_SUM, limit.on_exceed.strictness, amount, measure.most, starts_at, span.ends_at, is_cost)
            lines.append(f"sum {account} - {amount} {is_cost:d}")
        elif isinstance(measure, Pace):
            account = redis_keys.limit(partition, limit.id, charge.holder, "")
            numbers += (_PACE, limit.on_exceed.strictness, measure.calls, measure.per, measure.burst, measure.count, 0)
        else:
            return None
        accounts.append(account)
    if len(accounts) > _MOST_PLAIN:
        return None
    return accounts, _PACKED[len(accounts)].pack(*numbers), "\n".join(lines) if charging.reserve else ""


def _operation(charge: Charge, partition: str, now: Millis) -> Operation:
    prefix = (charge.limit.on_exceed.strictness, since_of(charge.measure, now))

    def key(window: str | int) -> tuple[str]:
        return (redis_keys.limit(partition, charge.limit.id, charge.holder, window),)

    match charge.measure:
        case Sum(amount, most, Fixed(starts_at, ends_at), is_cost):
            return Operation("sum", key(starts_at), (*prefix, amount, most, starts_at, ends_at, int(is_cost)))
        case Sum(amount, most, Rolling(length), is_cost):
            return Operation("roll", key(""), (*prefix, amount, most, length, int(is_cost)))
        case Pace(calls, per, burst, count):
            return Operation("pace", key(""), (*prefix, calls, per, burst, count))
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
    if charging is None or not isinstance(numbers, list) or set(map(type, numbers)) - {int}:
        raise ValueError("not a number for each charge")
    pairs = zip(charging.charges, numbers, strict=True)
    return tuple([_plain_account(charge, number, now) for charge, number in pairs])


def _plain_account(charge: Charge, number: int, now: Millis) -> Account:
    measure = charge.measure
    if isinstance(measure, Sum) and isinstance(measure.span, Fixed):
        left, resets_at = measure.most - number, measure.span.ends_at
        if number >= 0 and left >= 0:
            return Account(charge.limit.id, number, left, measure.most, resets_at, Excess.WITHIN)
    elif isinstance(measure, Pace):
        total = -(-number // measure.per) + measure.count
        if number >= 0 and total <= measure.burst:
            resets_at = Millis(now - (-number // measure.calls))
            return Account(charge.limit.id, total, measure.burst - total, measure.burst, resets_at, Excess.WITHIN)
    raise ValueError("not how a plain charge can stand")


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
