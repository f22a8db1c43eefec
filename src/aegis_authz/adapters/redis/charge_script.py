"""What charge.lua takes and gives: charges and refusals that are counted, as its operations, and how they stand."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

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
)
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import Settlement
from aegis_authz.core.units import Millis


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the settle script."""

    name: str
    keys: tuple[str, ...]
    arguments: tuple[str | int, ...]


def operations_of(settlement: Settlement, margin: Millis | int) -> Iterator[Operation]:
    """What is charged and what is counted, each as an operation.

    `margin` is how many milliseconds longer than its window a key is kept: clocks differ.
    """
    scope = settlement.identity.scope
    charging, tally = settlement.charging, settlement.tally
    if charging is not None:
        keys = (redis_keys.counted(redis_keys.partition_of(scope)), redis_keys.reserved(scope, charging.decision_id))
        yield Operation("ledger", keys, (charging.decision_id, charging.reserve, margin))
        for charge in charging.charges:
            yield _operation(charge, scope)
    if tally is not None:
        for breaker in tally.breakers:
            yield _tally(breaker, scope, is_forbidden_domain=tally.is_forbidden_domain)


def _operation(charge: Charge, scope: Scope) -> Operation:
    prefix = (charge.limit.on_exceed.strictness, charge.since)

    def key(window: str) -> tuple[str]:
        return (redis_keys.limit(scope, charge.limit.id, charge.holder, window),)

    match charge.measure:
        case Sum(amount, most, Fixed(starts_at, ends_at), is_cost):
            return Operation("sum", key(str(starts_at)), (*prefix, amount, most, starts_at, ends_at, int(is_cost)))
        case Sum(amount, most, Rolling(length), is_cost):
            return Operation("roll", key(""), (*prefix, amount, most, length, int(is_cost)))
        case Pace(calls, per, burst):
            return Operation("pace", key(""), (*prefix, calls, per, burst))
        case Member(values, most, Fixed(starts_at, ends_at)):
            return Operation("member", key(str(starts_at)), (*prefix, " ".join(values), most, starts_at, ends_at))
        case Member(values, most, Rolling(length)):
            return Operation("member", key(""), (*prefix, " ".join(values), most, -1, length))
        case Slot(most, life):
            return Operation("slot", key(""), (*prefix, most, life))
        case Marks(session, attested, sets, requires, unless, life):
            names = (" ".join(flags) for flags in (sets, requires, unless))
            keys = (redis_keys.flags(scope, charge.holder),)
            return Operation("marks", keys, (*prefix, session, attested, *names, life))
        case _:
            raise AssertionError("every charge is one of these")


def _tally(breaker: Breaker, scope: Scope, *, is_forbidden_domain: bool) -> Operation:
    keys = (*redis_keys.refusals(scope, breaker.id), redis_keys.quarantine(scope))
    most = (breaker.refusals or 0, breaker.forbidden_domain or 0)
    return Operation("tally", keys, (breaker.id, *most, int(is_forbidden_domain), breaker.within, breaker.quarantine))


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
