"""What each protocol makes of a reason: the one table of gRPC codes, HTTP statuses and JSON-RPC error codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from aegis_authz.core.reason import Reason


@dataclass(frozen=True, slots=True)
class StatusCodes:
    """One row of the table.

    `http` is the status for plain HTTP, `grpc` a google.rpc.Code, `jsonrpc` the error code for MCP methods other than
    tools/call (outside JSON-RPC's reserved -32768..-32000).
    """

    http: int
    grpc: int
    jsonrpc: int


_OK, _DEADLINE, _DENIED, _EXHAUSTED, _UNAVAILABLE, _NOT_AUTHENTICATED = 0, 4, 7, 8, 14, 16

_THROUGH = StatusCodes(http=200, grpc=_OK, jsonrpc=0)
_MALFORMED = StatusCodes(http=400, grpc=_DENIED, jsonrpc=-31000)
_UNAUTHENTICATED = StatusCodes(http=401, grpc=_NOT_AUTHENTICATED, jsonrpc=-31001)
_STALE = StatusCodes(http=403, grpc=_DENIED, jsonrpc=-31001)
_FORBIDDEN = StatusCodes(http=403, grpc=_DENIED, jsonrpc=-31003)
_LIMITED = StatusCodes(http=429, grpc=_EXHAUSTED, jsonrpc=-31006)
_FAULTY = StatusCodes(http=503, grpc=_UNAVAILABLE, jsonrpc=-31503)

STATUS_CODES: Mapping[Reason, StatusCodes] = MappingProxyType(
    {
        Reason.ALLOWED: _THROUGH,
        Reason.SANITIZED: _THROUGH,
        Reason.APPROVED: _THROUGH,
        Reason.SHADOWED: _THROUGH,
        Reason.TUNNEL_OPENED: _THROUGH,
        Reason.APPROVAL_NEEDED: StatusCodes(http=403, grpc=_DENIED, jsonrpc=-31004),
        Reason.REQUEST_UNREADABLE: _MALFORMED,
        Reason.BODY_TRUNCATED: StatusCodes(http=413, grpc=_DENIED, jsonrpc=-31000),
        Reason.CONTENT_ENCODED: StatusCodes(http=415, grpc=_DENIED, jsonrpc=-31000),
        Reason.AMBIGUOUS_HEADERS: _MALFORMED,
        Reason.CREDENTIAL_MISSING: _UNAUTHENTICATED,
        Reason.CREDENTIAL_AMBIGUOUS: _UNAUTHENTICATED,
        Reason.CREDENTIAL_MALFORMED: _UNAUTHENTICATED,
        Reason.CREDENTIAL_UNSIGNED: _UNAUTHENTICATED,
        Reason.CREDENTIAL_UNTRUSTED: _UNAUTHENTICATED,
        Reason.CREDENTIAL_INVALID: _UNAUTHENTICATED,
        Reason.CREDENTIAL_EXPIRED: _UNAUTHENTICATED,
        Reason.CREDENTIAL_NOT_YET_VALID: _UNAUTHENTICATED,
        Reason.CREDENTIAL_NOT_ACCEPTED: _UNAUTHENTICATED,
        Reason.PROOF_MISSING: _UNAUTHENTICATED,
        Reason.PROOF_MALFORMED: _UNAUTHENTICATED,
        Reason.PROOF_INVALID: _UNAUTHENTICATED,
        Reason.PROOF_MISMATCH: _UNAUTHENTICATED,
        Reason.PROOF_STALE: _UNAUTHENTICATED,
        Reason.GRANT_UNSUPPORTED: _FORBIDDEN,
        Reason.GRANT_MALFORMED: _FORBIDDEN,
        Reason.GRANT_WIDER: _FORBIDDEN,
        Reason.GRANT_EXPIRED: _FORBIDDEN,
        Reason.GRANT_EXCEEDED: _FORBIDDEN,
        Reason.GRANT_USED_UP: _FORBIDDEN,
        Reason.WORKLOAD_UNAVAILABLE: _FAULTY,
        Reason.WRONG_REGION: _FORBIDDEN,  # no 421, which a proxy must not generate (RFC 9110 section 15.5.20)
        Reason.MALFORMED_CALL: _MALFORMED,
        Reason.UPGRADE_UNLISTED: _FORBIDDEN,
        Reason.STREAM_UNLISTED: _FORBIDDEN,
        Reason.BODY_TYPE_UNLISTED: StatusCodes(http=415, grpc=_DENIED, jsonrpc=-31000),
        Reason.FORM_MALFORMED: _MALFORMED,
        Reason.MULTIPART_MALFORMED: _MALFORMED,
        Reason.LINES_MALFORMED: _MALFORMED,
        Reason.TEXT_MALFORMED: _MALFORMED,
        Reason.GRAPHQL_MALFORMED: _MALFORMED,
        Reason.OPERATION_UNLISTED: _MALFORMED,
        Reason.MESSAGE_MALFORMED: _MALFORMED,
        Reason.DUPLICATE_KEY: _MALFORMED,
        # MCP 2026-07-28, transports: 400 and the code that the specification gives it
        Reason.HEADER_MISMATCH: StatusCodes(http=400, grpc=_DENIED, jsonrpc=-32020),
        # MCP 2025-11-25, transports, "Session Management": 404 has clients initialize anew
        Reason.SESSION_INVALID: StatusCodes(http=404, grpc=_DENIED, jsonrpc=-31005),
        Reason.ACTION_UNKNOWN: _FORBIDDEN,
        Reason.SUBJECT_MISMATCH: _FORBIDDEN,
        Reason.TOOL_UNKNOWN: _FORBIDDEN,
        Reason.EGRESS_DENIED: _FORBIDDEN,
        Reason.ROUTE_MISMATCH: _FAULTY,
        Reason.POLICY_ABSENT: _FORBIDDEN,
        Reason.POLICY_DENIED: _FORBIDDEN,
        Reason.PARAMETER_UNKNOWN: _MALFORMED,
        Reason.PARAMETER_MISSING: _FORBIDDEN,
        Reason.PARAMETER_TYPE: _FORBIDDEN,
        Reason.PDP_UNAVAILABLE: _FAULTY,
        Reason.PDP_TIMEOUT: _FAULTY,
        Reason.DECISION_UNDEFINED: _FAULTY,
        Reason.DECISION_MALFORMED: _FAULTY,
        Reason.REVISION_CHANGED: _FAULTY,
        Reason.COST_UNKNOWN: _FORBIDDEN,
        Reason.REPLAYED: _STALE,
        Reason.REVOKED: _FORBIDDEN,
        Reason.QUARANTINED: _LIMITED,
        Reason.RATE_LIMITED: _LIMITED,
        Reason.BUDGET_EXCEEDED: _LIMITED,
        Reason.COUNT_EXCEEDED: _LIMITED,
        Reason.CONCURRENCY_EXCEEDED: _LIMITED,
        Reason.FLAG_MISSING: _LIMITED,
        Reason.FLAG_SET: _LIMITED,
        Reason.LIMIT_LOST: _FAULTY,
        Reason.LIMIT_UNKNOWN: _FAULTY,
        Reason.CHARGE_INVALID: _FORBIDDEN,
        Reason.STORE_RESET: _STALE,
        Reason.STORE_UNAVAILABLE: _FAULTY,
        Reason.STORE_TIMEOUT: _FAULTY,
        Reason.STORE_READONLY: _FAULTY,
        Reason.STORE_LOADING: _FAULTY,
        Reason.STORE_FULL: _FAULTY,
        Reason.STORE_MOVING: _FAULTY,
        Reason.APPROVAL_INVALID: _FORBIDDEN,
        Reason.APPROVAL_EXPIRED: _FORBIDDEN,
        Reason.APPROVAL_MISMATCH: _FORBIDDEN,
        Reason.APPROVAL_STALE: _FORBIDDEN,
        Reason.APPROVAL_NOT_GRANTED: _FORBIDDEN,
        Reason.APPROVAL_DENIED: _FORBIDDEN,
        Reason.APPROVAL_UNATTENDED: _FORBIDDEN,
        Reason.APPROVAL_USED: _FORBIDDEN,
        Reason.APPROVAL_TOO_LARGE: _FORBIDDEN,
        Reason.APPROVALS_FULL: StatusCodes(http=429, grpc=_EXHAUSTED, jsonrpc=-31004),
        Reason.OBLIGATION_UNKNOWN: _FAULTY,
        Reason.OBLIGATION_UNMET: _FAULTY,
        Reason.RESPONSE_WITHHELD: StatusCodes(http=502, grpc=_DENIED, jsonrpc=-31502),
        Reason.OUTCOME_INVALID: _FORBIDDEN,
        Reason.RECORD_FAILED: _FAULTY,
        Reason.NOT_READY: _FAULTY,
        Reason.DEADLINE_EXCEEDED: StatusCodes(http=503, grpc=_DEADLINE, jsonrpc=-31503),
        Reason.OVERLOADED: StatusCodes(http=503, grpc=_EXHAUSTED, jsonrpc=-31503),
        Reason.INTERNAL_FAULT: _FAULTY,
    }
)
