"""Why a call was answered as it was: a closed list, and the one table of what each reason means."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from aegis_authz.core.effect import Effect


class Reason(Enum):
    """Stable reason codes. The value is the code in answers, records and metric labels."""

    ALLOWED = "ALLOWED"
    SANITIZED = "SANITIZED"
    APPROVED = "APPROVED"
    SHADOWED = "SHADOWED"
    TUNNEL_OPENED = "TUNNEL_OPENED"
    APPROVAL_NEEDED = "APPROVAL_NEEDED"

    REQUEST_UNREADABLE = "REQUEST_UNREADABLE"
    BODY_TRUNCATED = "BODY_TRUNCATED"
    CONTENT_ENCODED = "CONTENT_ENCODED"
    AMBIGUOUS_HEADERS = "AMBIGUOUS_HEADERS"

    CREDENTIAL_MISSING = "CREDENTIAL_MISSING"
    CREDENTIAL_AMBIGUOUS = "CREDENTIAL_AMBIGUOUS"
    CREDENTIAL_MALFORMED = "CREDENTIAL_MALFORMED"
    CREDENTIAL_UNSIGNED = "CREDENTIAL_UNSIGNED"
    CREDENTIAL_UNTRUSTED = "CREDENTIAL_UNTRUSTED"
    CREDENTIAL_INVALID = "CREDENTIAL_INVALID"
    CREDENTIAL_EXPIRED = "CREDENTIAL_EXPIRED"
    CREDENTIAL_NOT_YET_VALID = "CREDENTIAL_NOT_YET_VALID"
    CREDENTIAL_NOT_ACCEPTED = "CREDENTIAL_NOT_ACCEPTED"
    PROOF_MISSING = "PROOF_MISSING"
    PROOF_MALFORMED = "PROOF_MALFORMED"
    PROOF_INVALID = "PROOF_INVALID"
    PROOF_MISMATCH = "PROOF_MISMATCH"
    PROOF_STALE = "PROOF_STALE"
    GRANT_UNSUPPORTED = "GRANT_UNSUPPORTED"
    GRANT_MALFORMED = "GRANT_MALFORMED"
    GRANT_WIDER = "GRANT_WIDER"
    GRANT_EXPIRED = "GRANT_EXPIRED"
    GRANT_EXCEEDED = "GRANT_EXCEEDED"
    GRANT_USED_UP = "GRANT_USED_UP"
    WORKLOAD_UNAVAILABLE = "WORKLOAD_UNAVAILABLE"
    WRONG_REGION = "WRONG_REGION"

    MALFORMED_CALL = "MALFORMED_CALL"
    UPGRADE_UNLISTED = "UPGRADE_UNLISTED"
    STREAM_UNLISTED = "STREAM_UNLISTED"
    BODY_TYPE_UNLISTED = "BODY_TYPE_UNLISTED"
    FORM_MALFORMED = "FORM_MALFORMED"
    MULTIPART_MALFORMED = "MULTIPART_MALFORMED"
    LINES_MALFORMED = "LINES_MALFORMED"
    TEXT_MALFORMED = "TEXT_MALFORMED"
    GRAPHQL_MALFORMED = "GRAPHQL_MALFORMED"
    OPERATION_UNLISTED = "OPERATION_UNLISTED"
    MESSAGE_MALFORMED = "MESSAGE_MALFORMED"
    DUPLICATE_KEY = "DUPLICATE_KEY"
    HEADER_MISMATCH = "HEADER_MISMATCH"
    SESSION_INVALID = "SESSION_INVALID"
    ACTION_UNKNOWN = "ACTION_UNKNOWN"
    SUBJECT_MISMATCH = "SUBJECT_MISMATCH"
    TOOL_UNKNOWN = "TOOL_UNKNOWN"
    EGRESS_DENIED = "EGRESS_DENIED"
    ROUTE_MISMATCH = "ROUTE_MISMATCH"

    POLICY_ABSENT = "POLICY_ABSENT"
    POLICY_DENIED = "POLICY_DENIED"
    PARAMETER_UNKNOWN = "PARAMETER_UNKNOWN"
    PARAMETER_MISSING = "PARAMETER_MISSING"
    PARAMETER_TYPE = "PARAMETER_TYPE"
    PDP_UNAVAILABLE = "PDP_UNAVAILABLE"
    PDP_TIMEOUT = "PDP_TIMEOUT"
    DECISION_UNDEFINED = "DECISION_UNDEFINED"
    DECISION_MALFORMED = "DECISION_MALFORMED"
    REVISION_CHANGED = "REVISION_CHANGED"
    COST_UNKNOWN = "COST_UNKNOWN"

    REPLAYED = "REPLAYED"
    REVOKED = "REVOKED"
    QUARANTINED = "QUARANTINED"
    RATE_LIMITED = "RATE_LIMITED"
    BUDGET_EXCEEDED = "BUDGET_EXCEEDED"
    COUNT_EXCEEDED = "COUNT_EXCEEDED"
    CONCURRENCY_EXCEEDED = "CONCURRENCY_EXCEEDED"
    FLAG_MISSING = "FLAG_MISSING"
    FLAG_SET = "FLAG_SET"
    LIMIT_LOST = "LIMIT_LOST"
    LIMIT_UNKNOWN = "LIMIT_UNKNOWN"
    CHARGE_INVALID = "CHARGE_INVALID"
    STORE_RESET = "STORE_RESET"
    STORE_UNAVAILABLE = "STORE_UNAVAILABLE"
    STORE_TIMEOUT = "STORE_TIMEOUT"
    STORE_READONLY = "STORE_READONLY"
    STORE_LOADING = "STORE_LOADING"
    STORE_FULL = "STORE_FULL"
    STORE_MOVING = "STORE_MOVING"

    APPROVAL_INVALID = "APPROVAL_INVALID"
    APPROVAL_EXPIRED = "APPROVAL_EXPIRED"
    APPROVAL_MISMATCH = "APPROVAL_MISMATCH"
    APPROVAL_STALE = "APPROVAL_STALE"
    APPROVAL_NOT_GRANTED = "APPROVAL_NOT_GRANTED"
    APPROVAL_DENIED = "APPROVAL_DENIED"
    APPROVAL_UNATTENDED = "APPROVAL_UNATTENDED"
    APPROVAL_USED = "APPROVAL_USED"
    APPROVAL_TOO_LARGE = "APPROVAL_TOO_LARGE"
    APPROVALS_FULL = "APPROVALS_FULL"

    OBLIGATION_UNKNOWN = "OBLIGATION_UNKNOWN"
    OBLIGATION_UNMET = "OBLIGATION_UNMET"
    RESPONSE_WITHHELD = "RESPONSE_WITHHELD"
    OUTCOME_INVALID = "OUTCOME_INVALID"
    RECORD_FAILED = "RECORD_FAILED"
    NOT_READY = "NOT_READY"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    OVERLOADED = "OVERLOADED"
    INTERNAL_FAULT = "INTERNAL_FAULT"


class Retry(Enum):
    """What the caller should do next."""

    NEVER = "never"  # the same call will be refused again
    NEW_TOKEN = "new_token"  # repeat at once with a fresh token
    LATER = "later"  # repeat after `retry-after` seconds, with a fresh token
    AFTER_APPROVAL = "after_approval"  # repeat with the override token once approved
    UNNEEDED = "unneeded"  # the call went through


@dataclass(frozen=True, slots=True)
class ReasonSpec:
    """What a reason means: one row of the table. `text` is public.

    What each protocol makes of it says `wire/status_codes.py`.
    """

    effect: Effect
    retry: Retry
    text: str


def _through(effect: Effect, text: str) -> ReasonSpec:
    return ReasonSpec(effect, Retry.UNNEEDED, text)


def _refusal(retry: Retry, text: str) -> ReasonSpec:
    return ReasonSpec(Effect.DENY, retry, text)


REASONS: Mapping[Reason, ReasonSpec] = MappingProxyType(
    {
        Reason.ALLOWED: _through(Effect.ALLOW, "The call is allowed."),
        Reason.SANITIZED: _through(Effect.SANITIZE, "The call is allowed with sensitive data redacted."),
        Reason.APPROVED: _through(Effect.ALLOW, "The call was approved and is allowed once."),
        Reason.SHADOWED: _through(Effect.ALLOW, "The call is let through: the policy only observes."),
        Reason.TUNNEL_OPENED: _through(Effect.ALLOW, "The tunnel is open; each request inside it is judged."),
        Reason.APPROVAL_NEEDED: ReasonSpec(
            Effect.APPROVAL_NEEDED, Retry.AFTER_APPROVAL, "This call needs a human approval first."
        ),
        Reason.REQUEST_UNREADABLE: _refusal(Retry.NEVER, "The request could not be read."),
        Reason.BODY_TRUNCATED: _refusal(Retry.NEVER, "The request body is larger than what can be checked."),
        Reason.CONTENT_ENCODED: _refusal(Retry.NEVER, "Compressed request bodies are refused; send it uncompressed."),
        Reason.AMBIGUOUS_HEADERS: _refusal(
            Retry.NEVER, "A header that must be given once was given several times or in an unreadable form."
        ),
        Reason.CREDENTIAL_MISSING: _refusal(
            Retry.NEW_TOKEN, "The call carries no agent token. Send one in x-aegis-token."
        ),
        Reason.CREDENTIAL_AMBIGUOUS: _refusal(
            Retry.NEW_TOKEN, "The call carries more than one credential. Send exactly one, with at most its proof."
        ),
        Reason.CREDENTIAL_MALFORMED: _refusal(Retry.NEW_TOKEN, "The agent token is not well formed."),
        Reason.CREDENTIAL_UNSIGNED: _refusal(Retry.NEW_TOKEN, "The agent token is not signed with EdDSA."),
        Reason.CREDENTIAL_UNTRUSTED: _refusal(
            Retry.NEW_TOKEN, "The agent token was not issued by a trusted issuer for this mesh."
        ),
        Reason.CREDENTIAL_INVALID: _refusal(Retry.NEW_TOKEN, "The signature of the agent token does not verify."),
        Reason.CREDENTIAL_EXPIRED: _refusal(Retry.NEW_TOKEN, "The agent token has expired. Get a new one."),
        Reason.CREDENTIAL_NOT_YET_VALID: _refusal(
            Retry.NEW_TOKEN, "The agent token is not valid yet. Check the clock that issued it."
        ),
        Reason.CREDENTIAL_NOT_ACCEPTED: _refusal(Retry.NEVER, "This way in does not take this kind of credential."),
        Reason.PROOF_MISSING: _refusal(
            Retry.NEW_TOKEN, "The agent token is bound to a key. Send a proof of this call in x-aegis-proof."
        ),
        Reason.PROOF_MALFORMED: _refusal(Retry.NEW_TOKEN, "The proof is not well formed."),
        Reason.PROOF_INVALID: _refusal(Retry.NEW_TOKEN, "The signature of the proof does not verify."),
        Reason.PROOF_MISMATCH: _refusal(
            Retry.NEW_TOKEN, "The proof was made for another call, token or key. Make one for exactly this call."
        ),
        Reason.PROOF_STALE: _refusal(
            Retry.NEW_TOKEN, "The proof is older than a minute or from the future. Make a new one; check the clock."
        ),
        Reason.GRANT_UNSUPPORTED: _refusal(
            Retry.NEVER, "The agent token narrows its agent in a way this version cannot judge."
        ),
        Reason.GRANT_MALFORMED: _refusal(Retry.NEW_TOKEN, "The grant of the agent token is not well formed."),
        Reason.GRANT_WIDER: _refusal(
            Retry.NEW_TOKEN, "The grant of the agent token is wider than the grant it was narrowed from."
        ),
        Reason.GRANT_EXPIRED: _refusal(Retry.NEVER, "The grant of this task has ended."),
        Reason.GRANT_EXCEEDED: _refusal(Retry.NEVER, "The grant of this task does not cover the call."),
        Reason.GRANT_USED_UP: _refusal(Retry.NEVER, "The calls that the grant of this task allows are used up."),
        Reason.WORKLOAD_UNAVAILABLE: _refusal(
            Retry.LATER, "The agent that this way in stands for cannot be proven at present; repeat the call."
        ),
        Reason.WRONG_REGION: _refusal(
            Retry.NEVER, "The tenant of this agent, or the tool, is in another region. Call the gateway there."
        ),
        Reason.MALFORMED_CALL: _refusal(Retry.NEVER, "The call is not well formed and cannot be judged."),
        Reason.STREAM_UNLISTED: _refusal(
            Retry.NEVER, "The method is called by a stream of messages, which the catalogue does not let pass."
        ),
        Reason.UPGRADE_UNLISTED: _refusal(
            Retry.NEVER, "The call asks to become something that the catalogue does not list for this tool."
        ),
        Reason.BODY_TYPE_UNLISTED: _refusal(
            Retry.NEVER, "The body is of a media type that the catalogue does not list for this action."
        ),
        Reason.FORM_MALFORMED: _refusal(Retry.NEVER, "The form is not well formed and cannot be judged."),
        Reason.MULTIPART_MALFORMED: _refusal(
            Retry.NEVER, "The parts of the body are not well formed and cannot be judged."
        ),
        Reason.LINES_MALFORMED: _refusal(
            Retry.NEVER, "The lines of the body are not well formed and cannot be judged."
        ),
        Reason.TEXT_MALFORMED: _refusal(Retry.NEVER, "The text is not well formed and cannot be judged."),
        Reason.GRAPHQL_MALFORMED: _refusal(
            Retry.NEVER, "The GraphQL request is not one whole operation and cannot be judged."
        ),
        Reason.OPERATION_UNLISTED: _refusal(
            Retry.NEVER, "The GraphQL request is for an operation that is not listed at this address."
        ),
        Reason.MESSAGE_MALFORMED: _refusal(
            Retry.NEVER, "The call is not one whole message that readers read alike, and cannot be judged."
        ),
        Reason.DUPLICATE_KEY: _refusal(Retry.NEVER, "The call names the same parameter more than once."),
        Reason.HEADER_MISMATCH: _refusal(Retry.NEVER, "The MCP headers contradict the message body."),
        Reason.SESSION_INVALID: _refusal(
            Retry.NEVER, "The MCP session was not opened by this agent on this tool, or is over. Initialize a new one."
        ),
        Reason.ACTION_UNKNOWN: _refusal(Retry.NEVER, "The tool has no such action in the catalogue."),
        Reason.SUBJECT_MISMATCH: _refusal(
            Retry.NEVER, "The question is about another agent than the one that asks it."
        ),
        Reason.TOOL_UNKNOWN: _refusal(Retry.NEVER, "No tool of the catalogue answers at this address."),
        Reason.EGRESS_DENIED: _refusal(Retry.NEVER, "This agent may not reach that host."),
        Reason.ROUTE_MISMATCH: _refusal(Retry.LATER, "The routes of the mesh are changing; repeat the call."),
        Reason.POLICY_ABSENT: _refusal(Retry.NEVER, "No policy covers this agent."),
        Reason.POLICY_DENIED: _refusal(Retry.NEVER, "Policy does not allow this call."),
        Reason.PARAMETER_UNKNOWN: _refusal(
            Retry.NEVER, "The call has a parameter that the catalogue does not list for its action."
        ),
        Reason.PARAMETER_MISSING: _refusal(Retry.NEVER, "A parameter that policy must judge is missing."),
        Reason.PARAMETER_TYPE: _refusal(Retry.NEVER, "A parameter that policy must judge has the wrong type."),
        Reason.PDP_UNAVAILABLE: _refusal(Retry.LATER, "The policy engine cannot be reached; the call was not judged."),
        Reason.PDP_TIMEOUT: _refusal(Retry.LATER, "The policy engine did not answer in time; the call was not judged."),
        Reason.DECISION_UNDEFINED: _refusal(
            Retry.LATER, "The policy engine gave no decision; the call was not judged."
        ),
        Reason.DECISION_MALFORMED: _refusal(
            Retry.LATER, "The policy engine gave an unreadable decision; the call was not judged."
        ),
        Reason.REVISION_CHANGED: _refusal(
            Retry.LATER, "The policy changed while the call was judged; repeat the call."
        ),
        Reason.COST_UNKNOWN: _refusal(
            Retry.NEVER, "The call has a price, and what it costs cannot be told from what it holds."
        ),
        Reason.REPLAYED: _refusal(
            Retry.NEW_TOKEN, "This agent token or proof was used before. Make a new one for each call."
        ),
        Reason.REVOKED: _refusal(Retry.NEVER, "This agent has been revoked."),
        Reason.QUARANTINED: _refusal(
            Retry.LATER, "This agent is quarantined, because too many of its calls were refused or a person said so."
        ),
        Reason.RATE_LIMITED: _refusal(Retry.LATER, "The calls come faster than policy allows."),
        Reason.BUDGET_EXCEEDED: _refusal(Retry.LATER, "The call would spend more than the budget that is left."),
        Reason.COUNT_EXCEEDED: _refusal(Retry.LATER, "The call would be more than policy counts in its window."),
        Reason.CONCURRENCY_EXCEEDED: _refusal(Retry.LATER, "Too many such calls are under way at once."),
        Reason.FLAG_MISSING: _refusal(Retry.NEVER, "A call that must come before this one was not made."),
        Reason.FLAG_SET: _refusal(Retry.LATER, "A call was made after which this one may not follow so soon."),
        Reason.LIMIT_LOST: _refusal(
            Retry.LATER, "What was used of a limit may have been forgotten; the call was not let through."
        ),
        Reason.LIMIT_UNKNOWN: _refusal(
            Retry.LATER, "Policy names a limit that this version does not know; the call was not let through."
        ),
        Reason.CHARGE_INVALID: _refusal(Retry.NEVER, "What the call uses of a limit cannot be told from it."),
        Reason.STORE_RESET: _refusal(
            Retry.NEW_TOKEN, "The token or proof is older than the replay memory. Make a new one."
        ),
        Reason.STORE_UNAVAILABLE: _refusal(
            Retry.LATER, "The replay store cannot be reached; the call was not let through."
        ),
        Reason.STORE_TIMEOUT: _refusal(
            Retry.LATER, "The replay store did not answer in time; the call was not let through."
        ),
        Reason.STORE_READONLY: _refusal(
            Retry.LATER, "The store takes no writes, since another takes over; the call was not let through."
        ),
        Reason.STORE_LOADING: _refusal(Retry.LATER, "The store is reading its data; the call was not let through."),
        Reason.STORE_FULL: _refusal(Retry.LATER, "The store has no memory left; the call was not let through."),
        Reason.STORE_MOVING: _refusal(
            Retry.LATER, "The store is moving what it holds of the tenant; the call was not let through."
        ),
        Reason.APPROVAL_INVALID: _refusal(Retry.NEVER, "The override token is not valid."),
        Reason.APPROVAL_EXPIRED: _refusal(
            Retry.NEVER, "The approval has expired. Ask for a new one by repeating the call without it."
        ),
        Reason.APPROVAL_MISMATCH: _refusal(
            Retry.NEVER, "The approval was given for another call. Repeat exactly the approved call."
        ),
        Reason.APPROVAL_STALE: _refusal(
            Retry.NEVER,
            "The approval is stale: a policy of this agent, or the tool, was changed after it was asked for, "
            "or asks for another approval at this hour. Ask for a new one by repeating the call without it.",
        ),
        Reason.APPROVAL_NOT_GRANTED: _refusal(Retry.NEVER, "The approval has not been granted."),
        Reason.APPROVAL_UNATTENDED: _refusal(
            Retry.NEVER, "The call needs a human approval, and nobody was there to decide while it waited."
        ),
        Reason.APPROVAL_DENIED: _refusal(Retry.NEVER, "A person denied this call."),
        Reason.APPROVAL_USED: _refusal(
            Retry.NEVER, "The approval was used before. Ask for a new one by repeating the call without it."
        ),
        Reason.APPROVAL_TOO_LARGE: _refusal(
            Retry.NEVER, "The call needs a human approval, and holds more than a person can be shown."
        ),
        Reason.APPROVALS_FULL: _refusal(
            Retry.LATER, "Too many calls of this agent or tenant wait for a human approval already."
        ),
        Reason.OBLIGATION_UNKNOWN: _refusal(
            Retry.LATER, "Policy demands something this version cannot do; the call was not let through."
        ),
        Reason.OBLIGATION_UNMET: _refusal(
            Retry.LATER, "Policy demands something that cannot be done at present; the call was not let through."
        ),
        Reason.RESPONSE_WITHHELD: _refusal(
            Retry.NEVER, "The tool was called, but its answer could not be made safe and was withheld."
        ),
        Reason.OUTCOME_INVALID: _refusal(
            Retry.NEVER, "The outcome is of no call that this agent was let make, or comes too late."
        ),
        Reason.RECORD_FAILED: _refusal(
            Retry.LATER, "The decision could not be recorded; the call was not let through."
        ),
        Reason.NOT_READY: _refusal(Retry.LATER, "The authorization service is starting; repeat the call."),
        Reason.DEADLINE_EXCEEDED: _refusal(Retry.LATER, "The call could not be judged in time."),
        Reason.OVERLOADED: _refusal(Retry.LATER, "Too many calls at once; repeat later."),
        Reason.INTERNAL_FAULT: _refusal(Retry.LATER, "The authorization service failed; the call was not let through."),
    }
)

CALLERS_FAULTS = frozenset(
    {
        Reason.REQUEST_UNREADABLE,
        Reason.BODY_TRUNCATED,
        Reason.CONTENT_ENCODED,
        Reason.AMBIGUOUS_HEADERS,
        Reason.MALFORMED_CALL,
        Reason.UPGRADE_UNLISTED,
        Reason.STREAM_UNLISTED,
        Reason.BODY_TYPE_UNLISTED,
        Reason.FORM_MALFORMED,
        Reason.MULTIPART_MALFORMED,
        Reason.LINES_MALFORMED,
        Reason.TEXT_MALFORMED,
        Reason.GRAPHQL_MALFORMED,
        Reason.OPERATION_UNLISTED,
        Reason.MESSAGE_MALFORMED,
        Reason.DUPLICATE_KEY,
        Reason.HEADER_MISMATCH,
        Reason.ACTION_UNKNOWN,
        Reason.PARAMETER_UNKNOWN,
        Reason.PARAMETER_TYPE,
    }
)
"""Reasons that are in the shape of the caller's own text: the caller may read what is wrong with it."""
