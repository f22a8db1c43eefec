"""Which refusals are of callers that nobody knows: what is counted, and what no document can be about."""

from __future__ import annotations

from aegis_authz.core.reason import Reason

OF_NOBODY = frozenset(
    {
        Reason.REQUEST_UNREADABLE,
        Reason.BODY_TRUNCATED,
        Reason.CONTENT_ENCODED,
        Reason.AMBIGUOUS_HEADERS,
        Reason.CREDENTIAL_MISSING,
        Reason.CREDENTIAL_AMBIGUOUS,
        Reason.CREDENTIAL_MALFORMED,
        Reason.CREDENTIAL_UNSIGNED,
        Reason.CREDENTIAL_UNTRUSTED,
        Reason.CREDENTIAL_INVALID,
        Reason.CREDENTIAL_EXPIRED,
        Reason.CREDENTIAL_NOT_YET_VALID,
        Reason.CREDENTIAL_NOT_ACCEPTED,
        Reason.PROOF_MISSING,
        Reason.PROOF_MALFORMED,
        Reason.PROOF_INVALID,
        Reason.PROOF_MISMATCH,
        Reason.PROOF_STALE,
        Reason.OVERLOADED,
    }
)
"""Refusals of calls whose agent is not known, or for which there was no room: no document covers them."""
