"""Stage 8: Decision -> Answer, in the shape its caller can read."""

from __future__ import annotations

from collections.abc import Mapping

from aegis_authz.check.draft import Draft, Elicitation
from aegis_authz.check.fulfil import Fulfilment, rpc_metadata
from aegis_authz.check.limit_text import exceeded, limit_facts, limit_sentences, seconds_to_wait
from aegis_authz.check.refusal_text import sentence, shown_findings
from aegis_authz.check.residency import region_facts
from aegis_authz.core.approval_use import use_facts
from aegis_authz.core.call import NO_RPC, Rpc, RpcShape
from aegis_authz.core.charge import Account, Charge, Slot
from aegis_authz.core.decision import Decision, Finding
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import REASONS, Reason, ReasonSpec, Retry
from aegis_authz.core.settlement import SettleOutcome
from aegis_authz.core.snapshot import Snapshot
from aegis_authz.core.units import ApprovalId
from aegis_authz.costs.ticket import Ticket, ticket_text
from aegis_authz.wire.envoy.answer import Answer
from aegis_authz.wire.envoy.ext_authz import COST_METADATA, TRACE_METADATA, USAGE_METADATA
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.tool_call import claimants
from aegis_authz.wire.mcp.endpoint import endpoint_target
from aegis_authz.wire.mcp.rpc import STATUS_ONLY, rpc_of
from aegis_authz.wire.opa.obligations import OBLIGATION_HEADER
from aegis_authz.wire.problem import (
    JSON_TYPE,
    PROBLEM_TYPE,
    Refusal,
    input_required,
    problem_document,
    rpc_error,
    tool_result,
)
from aegis_authz.wire.status_codes import STATUS_CODES

_MOST_TRACE = 128
"""Characters of a trace context that is noted: one of W3C has 55."""
_SECRETS = ("x-aegis-token", "x-aegis-proof", "x-aegis-approval", "proxy-authorization")
_PARTIAL = ("range", "if-range")  # a part of a body cannot be judged
_RETRY_AFTER = "1"
_BY_STATUS = frozenset({Reason.SESSION_INVALID, Reason.HEADER_MISMATCH})
"""What MCP has clients learn from the HTTP status: transports, "Session Management" and "Server Validation"."""


def respond(decision: Decision, fulfilment: Fulfilment, draft: Draft) -> Answer:
    """Say the decision in HTTP's words.

    Plain HTTP gets a problem document; MCP tools/call a tool result with status 200, other MCP messages a JSON-RPC
    error, and what cannot carry either a bare status, never 401 there. What clients must learn from the status has it
    beside the JSON-RPC error.
    """
    headers = {"x-aegis-decision": decision.effect.value, "x-aegis-decision-id": draft.decision_id}
    if draft.settled is not None and draft.settled.approval_id and decision.reason is Reason.APPROVAL_NEEDED:
        headers["x-aegis-approval-id"] = draft.settled.approval_id
    if decision.effect.lets_through:  # only then does the fulfilment count
        return _let_through(decision, fulfilment, draft, headers)
    spec = REASONS[decision.reason]
    over = exceeded(decision.reason, draft.charging, draft.settled)
    wait = seconds_to_wait(decision.reason, over, draft.settled, draft.time)
    if wait is not None:
        headers["retry-after"] = str(wait)
    elif spec.retry is Retry.LATER and not over:
        headers["retry-after"] = _RETRY_AFTER
    rpc = _rpc_shape(draft)
    refusal = _refusal(decision, spec, draft, over, wait)
    status, content_type, body = _body(refusal, rpc, decision.reason, draft.elicitation)
    return Answer(
        effect=decision.effect,
        grpc_code=STATUS_CODES[decision.reason].grpc,
        status=status,
        body=body,
        client_headers={**headers, "content-type": content_type},
        client_replacements={},
        upstream_headers={},
        removed_headers=(),
        metadata={"decision_id": draft.decision_id},
        is_followed=False,
    )


def _let_through(decision: Decision, fulfilment: Fulfilment, draft: Draft, headers: Mapping[str, str]) -> Answer:
    upstream = (
        {"accept-encoding": "identity", OBLIGATION_HEADER: fulfilment.processing} if fulfilment.processing else {}
    )
    if draft.cost is not None and draft.cost.tokens is not None:
        upstream["accept-encoding"] = "identity"  # a usage that is compressed is not read
    upstream |= fulfilment.headers
    session = draft.session
    metadata = {"decision_id": draft.decision_id, **fulfilment.metadata, **_cost(draft)}
    if session is not None:
        upstream |= {**session.upstream_headers, **_target(draft)}
        metadata |= {**session.metadata, **rpc_metadata(draft.rpc)} if session.opens else {}
    if draft.call is not None and draft.call.content_type:
        upstream["content-type"] = draft.call.content_type
    removed = (*_SECRETS, *(_PARTIAL if fulfilment.processing else (OBLIGATION_HEADER,)))
    return Answer(
        effect=decision.effect,
        grpc_code=STATUS_CODES[decision.reason].grpc,
        status=200,
        body=b"",
        client_headers=headers,
        client_replacements=session.client_replacements if session is not None else {},
        upstream_headers=upstream,
        removed_headers=removed,
        metadata=metadata,
        # a tunnel of nobody known: who shows no credential must not fill the record log with what became of it
        is_followed=draft.identity is not None,
    )


def _cost(draft: Draft) -> dict[str, str]:
    """What the proxy notes for whoever learns what became of the call."""
    cost, is_reserved = draft.cost, draft.charging is not None and draft.charging.reserve > 0
    approval = _approval_used(draft)
    if draft.identity is None or (cost is None and not is_reserved and not approval):
        return {}
    ticket = Ticket(draft.identity.scope, cost, is_reserved, _is_under_way(draft), approval)
    noted = {COST_METADATA: ticket_text(ticket)}
    if cost is not None and 0 < len(draft.trace.parent) <= _MOST_TRACE:
        noted[TRACE_METADATA] = draft.trace.parent
    return noted if cost is None or cost.tokens is None else {**noted, USAGE_METADATA: "yes"}


def _approval_used(draft: Draft) -> ApprovalId:
    settled = draft.settled
    return settled.approval_id if settled is not None and settled.outcome is SettleOutcome.APPROVED else ApprovalId("")


def _is_under_way(draft: Draft) -> bool:
    """Whether the call has a place among calls under way, which ends with it."""
    return draft.charging is not None and any(isinstance(charge.measure, Slot) for charge in draft.charging.charges)


def _target(draft: Draft) -> dict[str, str]:
    """The path and query for an MCP server, where they are not those that the agent wrote."""
    if draft.http is None or draft.call is None or draft.snapshot is None:
        return {}
    target = endpoint_target(draft.http, draft.snapshot.catalogue, draft.call.tool)
    return {} if target is None else {":path": target}


def _body(refusal: Refusal, rpc: Rpc, reason: Reason, elicitation: Elicitation | None) -> tuple[int, str, bytes]:
    match rpc.shape:
        case RpcShape.NONE:
            return refusal.status, PROBLEM_TYPE, problem_document(refusal)
        case _ if reason in _BY_STATUS and rpc != STATUS_ONLY:
            return refusal.status, JSON_TYPE, rpc_error(refusal, rpc)
        case RpcShape.CALL if elicitation is not None and reason is Reason.APPROVAL_NEEDED:
            return 200, JSON_TYPE, input_required(refusal, rpc, elicitation.url, elicitation.state)
        case RpcShape.CALL:
            return 200, JSON_TYPE, tool_result(refusal, rpc)
        case RpcShape.NOTIFICATION if rpc == STATUS_ONLY:
            # 401 would start an OAuth dance in MCP clients
            status = 403 if refusal.status == 401 else refusal.status
            return status, PROBLEM_TYPE, problem_document(refusal)
        case RpcShape.REQUEST | RpcShape.NOTIFICATION | RpcShape.REPLY:
            # also where nothing is answered: Python clients 1.x die of any 4xx or 5xx. 202 alone would mean accepted
            return 200, JSON_TYPE, rpc_error(refusal, rpc)


def _refusal(
    decision: Decision, spec: ReasonSpec, draft: Draft, over: list[tuple[Charge, Account]], wait: int | None
) -> Refusal:
    settled = draft.settled
    approval_id = settled.approval_id if settled is not None and decision.reason is Reason.APPROVAL_NEEDED else ""
    facts: dict[str, Json] = {
        "decision": decision.effect.value,
        "reason": decision.reason.value,
        "decision_id": draft.decision_id,
        "policy": list(decision.policies),
        "revision": decision.revision,
        "retry": spec.retry.value,
    }
    findings = shown_findings(decision)
    if findings:
        facts["findings"] = [_finding(finding) for finding in findings]
    if over:
        facts["limits"] = limit_facts(over)
    if wait is not None:
        facts["retry_after"] = wait
    if decision.reason is Reason.WRONG_REGION:
        facts |= region_facts(draft)
    if decision.fault is not None:
        facts["fault"] = {"in": decision.fault.where, "at": decision.fault.at, "problem": decision.fault.problem}
    if settled is not None and approval_id:
        base = draft.snapshot.status_base if draft.snapshot is not None else ""
        facts["approval"] = {
            "id": approval_id,
            "status_url": f"{base}/v1/approvals/{approval_id}/status" if base else "",
            "expires_at": settled.approval_expires_at,
        }
    if decision.reason is Reason.APPROVAL_USED and settled is not None and settled.former_use is not None:
        facts["approval_use"] = use_facts(settled.former_use)
    phrases = draft.snapshot.phrases if draft.snapshot is not None else {}
    words = sentence(decision, draft.call, settled, phrases, limit_sentences(over), wait)
    codes = STATUS_CODES[decision.reason]
    return Refusal(spec.text, words, codes.http, codes.jsonrpc, decision.reason.value, facts)


def _finding(finding: Finding) -> Json:
    facts: dict[str, Json] = {"parameter": finding.parameter, "condition": finding.condition}
    if finding.limit is not None:
        facts["limit"] = finding.limit
    if finding.value is not None:
        facts["seen"] = finding.value
    return facts


def _rpc_shape(draft: Draft) -> Rpc:
    """The JSON-RPC shape of the answer, also for a call that was refused before it was parsed."""
    if draft.call is not None:
        return draft.call.rpc
    if draft.http is None or draft.snapshot is None or not _is_mcp(draft.http, draft.snapshot):
        return NO_RPC
    return rpc_of(draft.http)


def _is_mcp(http: HttpCall, snapshot: Snapshot) -> bool:
    tools, path = claimants(http, snapshot.catalogue)
    return any(path in tool.mcp_paths for tool in tools)
