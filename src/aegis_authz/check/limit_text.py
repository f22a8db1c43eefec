"""How limits stand, in words and as data: for the caller of a refused call, and the seconds until it may come back."""

from __future__ import annotations

import math
from datetime import UTC, datetime

from aegis_authz.check.charge import excesses
from aegis_authz.core.charge import Account, Charge, Charging, Excess, Marks
from aegis_authz.core.json_value import Json
from aegis_authz.core.limit import Budget
from aegis_authz.core.money import decimal_text
from aegis_authz.core.reason import Reason
from aegis_authz.core.settlement import Settled
from aegis_authz.core.units import Epoch

LIMIT_REASONS = frozenset(
    {
        Reason.RATE_LIMITED,
        Reason.BUDGET_EXCEEDED,
        Reason.COUNT_EXCEEDED,
        Reason.CONCURRENCY_EXCEEDED,
        Reason.FLAG_MISSING,
        Reason.FLAG_SET,
        Reason.LIMIT_LOST,
    }
)


def exceeded(reason: Reason, charging: Charging | None, settled: Settled | None) -> list[tuple[Charge, Account]]:
    """The limits that the call is over, the strictest first; none where they are not why it does not pass."""
    if settled is None or reason not in LIMIT_REASONS | {Reason.APPROVAL_NEEDED}:
        return []
    return excesses(charging, settled.accounts)


def seconds_to_wait(
    reason: Reason, over: list[tuple[Charge, Account]], settled: Settled | None, now: Epoch
) -> int | None:
    """Whole seconds until it is worth trying again, None when no time helps or nobody can tell."""
    if reason is Reason.QUARANTINED and settled is not None:
        return _seconds(settled.quarantined_until, now)
    moments = [account.resets_at for _, account in over]
    if reason not in LIMIT_REASONS or not moments or 0 in moments:
        return None
    return _seconds(max(moments), now)


def limit_facts(over: list[tuple[Charge, Account]]) -> list[Json]:
    """The limits as data: amounts of money as decimal texts, all else as whole numbers."""
    return [_facts(charge, account) for charge, account in over]


def limit_sentences(over: list[tuple[Charge, Account]]) -> list[str]:
    """A sentence for each limit that the call is over."""
    return [_sentence(charge, account) for charge, account in over]


def amount_text(charge: Charge, amount: int) -> str:
    """An amount of a charge as people write it: money in units with its currency, all else as a number."""
    terms = charge.limit.terms
    return f"{decimal_text(amount)} {terms.currency}" if isinstance(terms, Budget) else str(amount)


def _facts(charge: Charge, account: Account) -> Json:
    terms = charge.limit.terms
    amounts: dict[str, int] = {"used": account.used, "left": account.left, "of": account.of}
    facts: dict[str, Json] = {"limit": charge.limit.name, "kind": charge.limit.kind, "per": charge.limit.per.value}
    if isinstance(terms, Budget):
        facts["currency"] = terms.currency
        facts |= {name: decimal_text(amount) for name, amount in amounts.items()}
    elif not isinstance(charge.measure, Marks):
        facts |= amounts
    facts["on_exceed"] = charge.limit.on_exceed.value
    if account.resets_at:
        facts["resets_at"] = account.resets_at / 1000
    return facts


def _sentence(charge: Charge, account: Account) -> str:
    name, measure = charge.limit.name, charge.measure
    if account.excess is Excess.LOST:
        return f"Of the limit {name} it is not known what was used{_until(account)}."
    if account.excess is Excess.FLAG_MISSING and isinstance(measure, Marks):
        return f"The limit {name} requires {', '.join(measure.requires)} in this session first."
    if account.excess is Excess.FLAG_SET and isinstance(measure, Marks):
        return f"The limit {name} forbids it after {', '.join(measure.unless)}{_until(account)}."
    total, left, of = (amount_text(charge, amount) for amount in (account.used, account.left, account.of))
    return f"Of the limit {name} {total} of {of} are used, {left} left{_until(account)}."


def _until(account: Account) -> str:
    if not account.resets_at:
        return ""
    moment = datetime.fromtimestamp(math.ceil(account.resets_at / 1000), UTC)
    return f", until {moment.strftime('%Y-%m-%dT%H:%M:%SZ')}"


def _seconds(moment: int, now: Epoch) -> int:
    return max(1, math.ceil(moment / 1000 - now))
