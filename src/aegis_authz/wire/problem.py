"""The bodies of refusals: RFC 9457 problem documents, MCP tool results and JSON-RPC errors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from aegis_authz.core.call import Rpc
from aegis_authz.core.json_value import Json
from aegis_authz.wire.mcp.request_state import INPUT

PROBLEM_TYPE = "application/problem+json"
JSON_TYPE = "application/json"

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    413: "request_too_large",
    415: "invalid_request_error",
    429: "rate_limit_error",
}
"""By status, what clients of model providers call an error; all others are `api_error`."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """What a caller is told of a refusal, in words and as data.

    `sentence` says what was refused, why and what to do next; `code` is the reason, and `facts` is the machine-readable
    part: decision, reason, decision_id and where they apply policy, revision, findings, fault, retry, approval.
    """

    title: str
    sentence: str
    status: int
    jsonrpc_code: int
    code: str
    facts: Mapping[str, Json]


def problem_document(refusal: Refusal) -> bytes:
    """The refusal for plain HTTP (RFC 9457; members beyond the standard ones are extensions).

    `error` is where clients of the OpenAI and Anthropic APIs, and of the many APIs shaped like them, look for words.
    """
    return orjson.dumps(
        {
            "type": "about:blank",
            "title": refusal.title,
            "status": refusal.status,
            "detail": refusal.sentence,
            **refusal.facts,
            "error": error_member(refusal.status, refusal.sentence, refusal.code),
        }
    )


def error_member(status: int, message: str, code: str) -> dict[str, Json]:
    """The member `error` of a problem document. `code` is the reason."""
    return {"message": message, "type": _ERROR_TYPES.get(status, "api_error"), "code": code, "param": None}


def tool_result(refusal: Refusal, rpc: Rpc) -> bytes:
    """The refusal of a tools/call: a CallToolResult with isError, which models and all SDKs can read.

    `resultType` is required from revision 2026-07-28 on and ignored before it. There is no
    structuredContent: TypeScript clients hold it against the tool's outputSchema.
    """
    return orjson.dumps(
        {
            "jsonrpc": "2.0",
            "id": rpc.id,
            "result": {
                "resultType": "complete",
                "content": [{"type": "text", "text": refusal.sentence}],
                "isError": True,
                "_meta": {"aegis": dict(refusal.facts)},
            },
        }
    )


def input_required(refusal: Refusal, rpc: Rpc, url: str, state: str) -> bytes:
    """A held tools/call for a client that shows its user the page, and then repeats the call with `state`.

    Source: Model Context Protocol 2026-07-28, InputRequiredResult; elicitation in URL mode.
    """
    question = {"mode": "url", "message": refusal.sentence, "url": url}
    return orjson.dumps(
        {
            "jsonrpc": "2.0",
            "id": rpc.id,
            "result": {
                "resultType": "input_required",
                "inputRequests": {INPUT: {"method": "elicitation/create", "params": question}},
                "requestState": state,
                "_meta": {"aegis": dict(refusal.facts)},
            },
        }
    )


def rpc_error(refusal: Refusal, rpc: Rpc) -> bytes:
    """The refusal of any other MCP request: a JSON-RPC 2.0 error outside the reserved codes."""
    return orjson.dumps(
        {
            "jsonrpc": "2.0",
            "id": rpc.id,
            "error": {
                "code": refusal.jsonrpc_code,
                "message": refusal.sentence,
                "data": {"aegis": dict(refusal.facts)},
            },
        }
    )
