"""Stage 5: the decision's effects, written in one round trip, and what the store makes of the decision."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import orjson

from aegis_authz.check.charge import approval_over, exceeded_reason, excesses, sanitized, tally_of
from aegis_authz.check.draft import Draft
from aegis_authz.core.approval import MAX_SHOWN_BYTES, MOST_HOLD_WITHOUT_BODY, ApprovalRequest, Unattended
from aegis_authz.core.approval_use import use_text
from aegis_authz.core.basis import approval_basis
from aegis_authz.core.call import CallKind, ToolCall
from aegis_authz.core.charge import Account, Charge, Charging
from aegis_authz.core.decision import (
    ApprovalTerms,
    Decision,
    InjectCredential,
    Obligation,
    Redact,
    SetHeader,
    Target,
    denied,
)
from aegis_authz.core.effect import Effect
from aegis_authz.core.identity import Identity
from aegis_authz.core.json_value import Json
from aegis_authz.core.limit import Exceed
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.scope import Scope
from aegis_authz.core.settlement import SETTLE_REFUSALS, GrantUse, Settled, Settlement, SettleOutcome
from aegis_authz.core.units import ApprovalId, Basis, Epoch, Seconds
from aegis_authz.wire.mcp.lifecycle import is_lifecycle

_HELD = frozenset((SettleOutcome.OPENED, SettleOutcome.REOPENED))


def approval_terms(decision: Decision, draft: Draft) -> ApprovalTerms | None:
    """What an approval of the call needs: one that policy demands, or one for a call that is over a limit.

    None where none is of use. Raises Refused where policy demands one that nobody can give: with APPROVAL_TOO_LARGE for
    more than a person can be shown, with APPROVAL_UNATTENDED where nobody could decide in time, with POLICY_DENIED
    where nobody may decide of the call and of its limits; and with APPROVAL_STALE when an override is shown that was
    given on other terms.
    """
    charging = draft.charging
    policy = decision.approval if charging is None else approval_over(decision.approval, charging)
    terms = None if policy is None else _as_far_as_envoy_waits(policy, draft)
    override = draft.override
    if terms is not None and override is not None and override.basis != _basis(draft, terms):
        raise Refused(Reason.APPROVAL_STALE, "given on other terms than an approval of the call must be now")
    if terms is None or override is not None:
        return terms
    trouble = _trouble(terms, draft)
    if trouble is None or decision.approval is None:
        return terms if trouble is None else None
    raise Refused(trouble, "")


def _as_far_as_envoy_waits(terms: ApprovalTerms, draft: Draft) -> ApprovalTerms:
    has_body = draft.http is not None and bool(draft.http.body)
    return terms if has_body else replace(terms, hold=min(terms.hold, Seconds(MOST_HOLD_WITHOUT_BODY)))


def settlement_of(decision: Decision, draft: Draft, new_id: Callable[[Scope], ApprovalId]) -> Settlement:
    """What this decision writes: the token's JTI always, what the call uses of limits, and what breakers count of it.

    An approval is used or opened when one is needed, or may be: by a call that is over a limit. `new_id` names a new
    approval. Raises ValueError for a call that was not authenticated.
    """
    if draft.identity is None:
        raise ValueError("a call that was not authenticated settles nothing")
    terms, override, charging = draft.approval, draft.override, draft.charging
    opens = None
    if terms is not None and override is None:
        opens = _request(decision, draft, terms, charging, new_id)
    return Settlement(
        identity=draft.identity,
        claims=override if terms is not None else None,
        opens=opens,
        now=draft.time,
        grants=_counted(decision, draft.identity, draft.call),
        charging=charging,
        tally=tally_of(decision, draft),
        resumes=None if draft.resumes is None else draft.resumes.decision_id,
    )


def _counted(decision: Decision, identity: Identity, call: ToolCall | None) -> tuple[GrantUse, ...]:
    """The grants that count this call: all in the chain that have a count. A batch is as many calls as it holds.

    None does that is refused, of a session, or no call at all: the opening of a tunnel.
    """
    if identity.grant is None or decision.effect is Effect.DENY:
        return ()
    if call is None or (call.kind is CallKind.MCP_SESSION and is_lifecycle(call.action)):
        return ()
    return tuple(GrantUse(narrowing, call.count) for narrowing in identity.grant.chain if narrowing.calls is not None)


def settled_decision(settled: Settled, settlement: Settlement, decision: Decision) -> Decision:
    """The decision after settling.

    A refusal of the store always wins. A held call is let through only when the store used up an approval: the one it
    was shown, or the one that was granted to this very call of this agent; an answer that does not fit what was asked
    is a denial.
    """
    refusal = SETTLE_REFUSALS.get(settled.outcome)
    if refusal is not None and settled.outcome is not SettleOutcome.LIMIT_EXCEEDED:
        detail = "" if settled.former_use is None else use_text(settled.former_use)
        return replace(denied(refusal, detail, decision.revision), policies=decision.policies)
    if settlement.charging is not None and len(settled.accounts) != len(settlement.charging.charges):
        return denied(Reason.INTERNAL_FAULT, "the store answered without how the limits stand", decision.revision)
    over = excesses(settlement.charging, settled.accounts)
    exceed = over[0][0].limit.on_exceed if over else None
    if settled.outcome is SettleOutcome.LIMIT_EXCEEDED or exceed is Exceed.DENY:
        return _over_limit(decision, over)
    needs_approval = decision.effect is Effect.APPROVAL_NEEDED or exceed is Exceed.APPROVAL_NEEDED
    if not needs_approval and settled.outcome is SettleOutcome.CLEAR:
        return sanitized(decision, over)
    if needs_approval and settlement.opens is not None and settled.outcome in _HELD:
        return replace(decision, effect=Effect.APPROVAL_NEEDED, reason=Reason.APPROVAL_NEEDED)
    has_request = settlement.opens is not None or settlement.claims is not None
    if needs_approval and has_request and settled.outcome is SettleOutcome.APPROVED and settled.granted_by:
        return approved(sanitized(decision, over))
    return denied(Reason.INTERNAL_FAULT, f"the store answered {settled.outcome.value} unasked", decision.revision)


def approved(decision: Decision) -> Decision:
    """What becomes of a held call once an approval lets it through."""
    effect = Effect.SANITIZE if decision.changes_bodies else Effect.ALLOW
    return replace(decision, effect=effect, reason=Reason.APPROVED)


def _over_limit(decision: Decision, over: Sequence[tuple[Charge, Account]]) -> Decision:
    if not over:
        return denied(Reason.INTERNAL_FAULT, "the store answered limit_exceeded of no limit", decision.revision)
    charge, account = over[0]
    refusal = denied(exceeded_reason(charge, account), f"the limit {charge.limit.name}", decision.revision)
    return replace(refusal, policies=(charge.limit.policy,) if charge.limit.policy else decision.policies)


def _trouble(terms: ApprovalTerms, draft: Draft) -> Reason | None:
    """Why nobody could give the approval, None where somebody can."""
    if terms.unattended is Unattended.DENY and terms.hold <= 0:
        return Reason.APPROVAL_UNATTENDED
    return None if _is_showable(draft) else Reason.APPROVAL_TOO_LARGE


def _is_showable(draft: Draft) -> bool:
    """Whether a person can be shown what would have to be approved."""
    call = draft.call
    return call is None or len(orjson.dumps([call.parameters, call.besides])) <= MAX_SHOWN_BYTES


def _request(
    decision: Decision,
    draft: Draft,
    terms: ApprovalTerms,
    charging: Charging | None,
    new_id: Callable[[Scope], ApprovalId],
) -> ApprovalRequest:
    call, identity, snapshot = draft.call, draft.identity, draft.snapshot
    if call is None or identity is None or snapshot is None or snapshot.revision != decision.revision:
        raise ValueError("what is held was not judged")
    return ApprovalRequest(
        id=new_id(identity.scope),
        scope=identity.scope,
        tool=call.tool,
        action=call.action,
        parameters=call.parameters,
        digest=call.digest,
        revision=decision.revision,
        policies=decision.policies,
        groups=terms.groups,
        requested_at=draft.time,
        besides=_besides(call, identity, decision.obligations) | _by_limits(charging),
        expires_at=Epoch(draft.time + _life(terms)),
        basis=_basis(draft, terms),
        decision_id=draft.decision_id,
        approvals=terms.approvals,
        confirm=terms.confirm,
        notify=terms.notify,
        proof=terms.proof,
        session=draft.session_name,
    )


def _life(terms: ApprovalTerms) -> Seconds:
    """How long it may be asked and used: what is denied once the hold is over is not asked any longer."""
    return min(terms.expires_in, terms.hold) if terms.unattended is Unattended.DENY else terms.expires_in


def _basis(draft: Draft, terms: ApprovalTerms) -> Basis:
    call, identity, snapshot = draft.call, draft.identity, draft.snapshot
    if call is None or identity is None or snapshot is None:
        raise ValueError("what is held was not judged")
    judges = snapshot.basis_of(identity.scope, call.tool)
    return approval_basis(judges, terms)


def _besides(call: ToolCall, identity: Identity, obligations: Sequence[Obligation]) -> dict[str, Json]:
    """What will run beside the parameters, for whoever approves it."""
    port = "" if call.port is None else f":{call.port}"
    circumstances: dict[str, Json] = {"request": f"{call.method} {call.host}{port}{call.path}", **call.besides}
    if identity.on_behalf_of:
        circumstances["on_behalf_of"] = identity.on_behalf_of
    if identity.actors:
        circumstances["acted_by"] = list(identity.actors)
    return circumstances | _by_policy(obligations)


def _by_limits(charging: Charging | None) -> dict[str, Json]:
    """The limits that the call may be over; which of them it is stands in its record."""
    if charging is None:
        return {}
    names = [charge.limit.name for charge in charging.charges if charge.limit.on_exceed is Exceed.APPROVAL_NEEDED]
    return {"limits that an approval lets it pass": [*names]} if names else {}


def _by_policy(obligations: Sequence[Obligation]) -> dict[str, Json]:
    """What the tool gets otherwise than the agent sent: the documents that say so are part of the approval's basis."""
    changes: dict[str, Json] = {}
    for obligation in obligations:
        if isinstance(obligation, SetHeader):
            changes[f"header {obligation.name}"] = obligation.value
        elif isinstance(obligation, InjectCredential):
            changes[f"header {obligation.header}"] = f"{obligation.prefix}(the credential {obligation.credential})"
    redacted = {
        name
        for obligation in obligations
        if isinstance(obligation, Redact) and obligation.target is Target.REQUEST
        for name in (*obligation.detectors, *obligation.fields)
    }
    return changes | ({"redacted before the tool sees it": sorted(redacted)} if redacted else {})
