"""What the signer answers by itself, in the shape its caller can read: never an allow, nor what ends a session."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

import orjson

from aegis_authz.core.call import NO_RPC, Rpc, RpcShape
from aegis_authz.core.json_value import Json
from aegis_authz.wire.problem import JSON_TYPE, PROBLEM_TYPE, Refusal, problem_document, rpc_error, tool_result

_JSONRPC_CODE = -31001
_TOOLS_CALL = "tools/call"


class Cause(Enum):
    """Why the signer did not forward a request: the code callers get, the HTTP status, a title."""

    CALLER_FOREIGN = ("CALLER_FOREIGN", 403, "The caller is not a process of this user.")
    FROM_A_PAGE = ("FROM_A_PAGE", 403, "Web pages cannot call through this signer.")
    NOT_A_CALL = ("NOT_A_CALL", 400, "This is no request the mesh could judge.")
    BODY_TOO_LARGE = ("BODY_TOO_LARGE", 413, "The body is larger than the mesh judges.")
    TOKEN_UNAVAILABLE = ("TOKEN_UNAVAILABLE", 503, "There is no token to call with.")
    MESH_UNREACHABLE = ("MESH_UNREACHABLE", 502, "The mesh does not answer.")

    def __init__(self, code: str, status: int, title: str) -> None:
        self.code = code
        self.status = status
        self.title = title


class Unforwarded(Exception):
    """A request that goes nowhere; the message is one sentence for its caller, model or person."""

    def __init__(self, cause: Cause, sentence: str) -> None:
        super().__init__(sentence)
        self.cause = cause


@dataclass(frozen=True, slots=True)
class LocalAnswer:
    """An answer of the signer's own."""

    status: int
    content_type: str
    body: bytes


def local_answer(refused: Unforwarded, body: bytes) -> LocalAnswer:
    """The answer to a request with this body: a JSON-RPC message gets one back, for clients end on anything else."""
    cause = refused.cause
    retry = "later" if cause.status >= 500 else "never"
    facts: dict[str, Json] = {"decision": "deny", "reason": cause.code, "retry": retry, "by": "agent signer"}
    refusal = Refusal(cause.title, str(refused), cause.status, _JSONRPC_CODE, cause.code, facts)
    rpc = _rpc(body)
    match rpc.shape:
        case RpcShape.CALL:
            return LocalAnswer(200, JSON_TYPE, tool_result(refusal, rpc))
        case RpcShape.REQUEST | RpcShape.NOTIFICATION | RpcShape.REPLY:
            return LocalAnswer(200, JSON_TYPE, rpc_error(refusal, rpc))
        case RpcShape.NONE:
            return LocalAnswer(cause.status, PROBLEM_TYPE, problem_document(refusal))


def _rpc(body: bytes) -> Rpc:
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError:
        return NO_RPC
    if not isinstance(message, dict) or message.get("jsonrpc") != "2.0" or not isinstance(message.get("method"), str):
        return NO_RPC
    method, identifier = message["method"], message.get("id")
    if isinstance(identifier, bool) or not isinstance(identifier, str | int):
        return Rpc(RpcShape.NOTIFICATION, None, method)
    return Rpc(RpcShape.CALL if method == _TOOLS_CALL else RpcShape.REQUEST, identifier, method)
