"""A body that must not pass: what its sender or reader is told instead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.check.body_terms import BodyTerms
from aegis_authz.check.refusal_text import NEXT_STEP
from aegis_authz.core.call import NO_RPC, RpcShape
from aegis_authz.core.decision import Target
from aegis_authz.core.effect import Effect
from aegis_authz.core.json_value import Json
from aegis_authz.core.reason import REASONS, Reason
from aegis_authz.wire.problem import JSON_TYPE, PROBLEM_TYPE, Refusal, problem_document, rpc_error, tool_result
from aegis_authz.wire.status_codes import STATUS_CODES


@dataclass(frozen=True, slots=True)
class Withheld:
    """An answer in place of a body."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def public_reason(reason: Reason, target: Target) -> Reason:
    """What is told of a failure: when the tool has been called already, always that its answer is withheld."""
    return reason if target is Target.REQUEST else Reason.RESPONSE_WITHHELD


def withheld(reason: Reason, target: Target, terms: BodyTerms | None) -> Withheld:
    """The answer to a call whose request or response body must not pass, before any of it did.

    MCP requests get a tool result or a JSON-RPC error with status 200, as every other refusal of
    theirs; all others a problem document. `terms` is None when they could not be read.
    """
    refusal = _refusal(public_reason(reason, target), terms)
    rpc = terms.rpc if terms is not None else NO_RPC
    headers = {"x-aegis-decision": Effect.DENY.value}
    if terms is not None:
        headers["x-aegis-decision-id"] = terms.decision_id
    match rpc.shape:
        case RpcShape.CALL:
            return Withheld(200, {**headers, "content-type": JSON_TYPE}, tool_result(refusal, rpc))
        case RpcShape.REQUEST:
            return Withheld(200, {**headers, "content-type": JSON_TYPE}, rpc_error(refusal, rpc))
        case _:
            return Withheld(refusal.status, {**headers, "content-type": PROBLEM_TYPE}, problem_document(refusal))


def last_event(reason: Reason, terms: BodyTerms) -> bytes | None:
    """The server-sent event that ends a JSON-RPC stream in order; None when no request waits for an answer.

    With it every MCP client ends its call at once; a bare cut lets some wait for their timeout.
    """
    if terms.rpc.shape not in (RpcShape.CALL, RpcShape.REQUEST):
        return None
    error = rpc_error(_refusal(public_reason(reason, Target.RESPONSE), terms), terms.rpc)
    return b"event: message\ndata: " + error + b"\n\n"


def _refusal(reason: Reason, terms: BodyTerms | None) -> Refusal:
    spec, codes = REASONS[reason], STATUS_CODES[reason]
    facts: dict[str, Json] = {
        "decision": Effect.DENY.value,
        "reason": reason.value,
        "decision_id": terms.decision_id if terms is not None else "",
        "retry": spec.retry.value,
    }
    return Refusal(
        title=spec.text,
        sentence=f"{spec.text} {NEXT_STEP.get(spec.retry, '')}".strip(),
        status=codes.http,
        jsonrpc_code=codes.jsonrpc,
        code=reason.value,
        facts=facts,
    )
