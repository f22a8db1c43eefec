"""What a judged call uses of its limits, before stage 5 writes it, and what the accounts make of the decision."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import NamedTuple

from aegis_authz.check.draft import Draft
from aegis_authz.core.approval import ApprovalProof, Unattended
from aegis_authz.core.breaker import COUNTED_REFUSALS, FORBIDDEN_DOMAINS, Tally
from aegis_authz.core.charge import Account, Charge, Charging, Excess, Pace, Slot, Sum
from aegis_authz.core.decision import ApprovalTerms, Decision, changes_bodies
from aegis_authz.core.effect import Effect
from aegis_authz.core.limit import Budget, Concurrency, Exceed, Limit, Rate, Terms
from aegis_authz.core.reason import Reason
from aegis_authz.core.record import ChargeRecord
from aegis_authz.core.refused import Refused
from aegis_authz.core.units import LimitId, Millis
from aegis_authz.limits.charges import Sessions, charges_by
from aegis_authz.limits.sheets import Sheets
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.opa.obligations import obligations_from_data

SESSION_HEADER = "x-aegis-session"
"""In which an agent says to which of its sessions a call belongs."""
_RESERVE = Millis(3_600_000)
"""How long what was charged waits for what became of the call; then it stays charged."""
_SHEETS = Sheets()
_MOST_REMEMBERED = 4096
_WITHIN = Excess.WITHIN  # a member of an enumeration is looked up each time it is named
_REASONS = {
    Excess.FLAG_MISSING: Reason.FLAG_MISSING,
    Excess.FLAG_SET: Reason.FLAG_SET,
    Excess.LOST: Reason.LIMIT_LOST,
}


class _RecordHead(NamedTuple):
    """What is the same in all records of charges of one limit to one account."""

    limit: Limit
    words: tuple[str, str, str, str, str, str]
    on_exceed: str


_HEADS: dict[tuple[LimitId, str], _RecordHead] = {}


def charging_of(decision: Decision, draft: Draft) -> Charging | None:
    """What the call uses, None where it meets no limit or is refused anyway.

    Raises Refused with LIMIT_UNKNOWN,
    CHARGE_INVALID, AMBIGUOUS_HEADERS.
    """
    if not decision.limits or decision.effect is Effect.DENY:
        return None
    call, identity, snapshot = draft.call, draft.identity, draft.snapshot
    if call is None or identity is None or snapshot is None or snapshot.revision != decision.revision:
        raise ValueError("what was not judged is not charged")
    now = Millis(int(draft.time * 1000))
    sheet = _SHEETS.of(decision.limits, snapshot.limits, identity.scope, now)
    cost = draft.cost.money if draft.cost is not None else None
    mcp = draft.session.agent_id if draft.session is not None else ""
    header = _session(draft.http) if draft.http is not None else ""
    sessions = Sessions(header, mcp, identity.session)
    return Charging(
        decision_id=draft.decision_id,
        charges=charges_by(sheet, call.parameters, sessions, cost, call.count),
        reserve=_RESERVE if sheet.has_account else Millis(0),
        is_held_when_over=decision.effect is not Effect.APPROVAL_NEEDED,
    )


def approval_over(held: ApprovalTerms | None, charging: Charging) -> ApprovalTerms | None:
    """Who may let the call over its limits, should it be over some; None where nobody may let it over all of them.

    It is not known yet which it is over, so whoever decides may decide of each limit that asks for an approval, and of
    the call itself where policy holds it on the terms `held`. Raises Refused(POLICY_DENIED) where policy holds it and
    no group is common.
    """
    terms = [charge.limit.approval for charge in charging.charges if charge.limit.approval is not None]
    if held is not None:
        terms.append(held)
    if not terms:
        return None
    demanded = [set(entry.groups) for entry in terms if entry.groups]
    groups = set.intersection(*demanded) if demanded else set()
    if demanded and not groups:
        if held is None:
            return None
        raise Refused(Reason.POLICY_DENIED, "no group of approvers may decide of the call and of its limits")
    return ApprovalTerms(
        groups=tuple(sorted(groups)),
        expires_in=min(entry.expires_in for entry in terms),
        approvals=max(entry.approvals for entry in terms),
        confirm=tuple(sorted({name for entry in terms for name in entry.confirm})),
        notify=tuple(sorted({place for entry in terms for place in entry.notify})),
        hold=min(entry.hold for entry in terms),
        proof=_strictest(entry.proof for entry in terms),
        unattended=Unattended.DENY if any(entry.unattended is Unattended.DENY for entry in terms) else Unattended.QUEUE,
    )


def _strictest(proofs: Iterable[ApprovalProof]) -> ApprovalProof:
    return ApprovalProof.SIGNED_IN if ApprovalProof.SIGNED_IN in set(proofs) else ApprovalProof.ANY


def tally_of(decision: Decision, draft: Draft) -> Tally | None:
    """What breakers count of a call that was refused before it was settled."""
    if decision.reason not in COUNTED_REFUSALS or draft.snapshot is None or draft.identity is None:
        return None
    breakers = draft.snapshot.breakers.of(draft.identity.scope)
    return Tally(breakers, decision.reason in FORBIDDEN_DOMAINS) if breakers else None


def excesses(charging: Charging | None, accounts: tuple[Account, ...]) -> list[tuple[Charge, Account]]:
    """The charges that are over their limits, the strictest first."""
    if charging is None:
        return []
    pairs = zip(charging.charges, accounts, strict=False)  # none where it did not come to them
    over = [(charge, account) for charge, account in pairs if account.excess is not _WITHIN]
    return sorted(over, key=lambda pair: -pair[0].limit.on_exceed.strictness) if len(over) > 1 else over


def charge_records(charging: Charging | None, accounts: tuple[Account, ...]) -> tuple[ChargeRecord, ...]:
    """What is kept of the charges of a call; nothing where it did not come to them."""
    if charging is None or len(accounts) != len(charging.charges):
        return ()
    return tuple(map(_record, charging.charges, accounts))


def _record(charge: Charge, account: Account) -> ChargeRecord:
    limit, holder, measure = charge
    head = _HEADS.get((limit.id, holder))
    if head is None or head.limit is not limit:
        head = _head_of(limit, holder)
    _, used, left, of, resets_at, excess = account
    # what the call itself adds: of values that may have been there before, and of flags, nothing
    amount = measure.amount if isinstance(measure, (Sum, Pace)) else int(isinstance(measure, Slot))
    word = "within" if excess is _WITHIN else excess.name.lower()
    return ChargeRecord(*head.words, amount, used, left, of, resets_at / 1000, word, head.on_exceed)


def _head_of(limit: Limit, holder: str) -> _RecordHead:
    terms = limit.terms
    currency = terms.currency if isinstance(terms, Budget) else ""
    if len(_HEADS) >= _MOST_REMEMBERED:
        _HEADS.clear()
    words = (limit.id, limit.name, limit.policy, holder, limit.kind, currency)
    head = _HEADS[limit.id, holder] = _RecordHead(limit, words, limit.on_exceed.word)
    return head


def exceeded_reason(charge: Charge, account: Account) -> Reason:
    """Why a call over this limit is refused."""
    return _REASONS.get(account.excess) or _reason_of(charge.limit.terms)


def sanitized(decision: Decision, over: list[tuple[Charge, Account]]) -> Decision:
    """The decision with what those limits redact that are exceeded and sanitize.

    Raises Refused with OBLIGATION_UNKNOWN for what cannot be read, OBLIGATION_UNMET where nothing would be redacted.
    """
    charges = [charge for charge, _ in over if charge.limit.on_exceed is Exceed.SANITIZE]
    if not charges:
        return decision
    obligations = decision.obligations
    for charge in charges:
        added = obligations_from_data([*charge.limit.obligations])
        if not any(map(changes_bodies, added)):
            raise Refused(Reason.OBLIGATION_UNMET, f"the limit {charge.limit.name} names nothing to redact")
        obligations += tuple(obligation for obligation in added if obligation not in obligations)
    if decision.effect is Effect.APPROVAL_NEEDED:
        return replace(decision, obligations=obligations)
    reason = Reason.SANITIZED if decision.reason is Reason.ALLOWED else decision.reason
    return replace(decision, effect=Effect.SANITIZE, reason=reason, obligations=obligations)


def _reason_of(terms: Terms) -> Reason:
    if isinstance(terms, Rate):
        return Reason.RATE_LIMITED
    if isinstance(terms, Budget):
        return Reason.BUDGET_EXCEEDED
    return Reason.CONCURRENCY_EXCEEDED if isinstance(terms, Concurrency) else Reason.COUNT_EXCEEDED


def _session(http: HttpCall) -> str:
    values = http.headers.get(SESSION_HEADER, ())
    if len(values) > 1:
        raise Refused(Reason.AMBIGUOUS_HEADERS, f"{SESSION_HEADER} is given several times")
    return values[0] if values else ""
