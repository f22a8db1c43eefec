"""Why no token is issued: what the token endpoint answers (RFC 6749 section 5.2, RFC 9449 section 5)."""

from __future__ import annotations

import re
from enum import Enum


class Denial(Enum):
    """Each way to be refused: HTTP status, error code, and a sentence that tells a caller what to mend.

    An agent nobody registered and a signature that does not verify are one: nobody learns which agents there are.
    """

    FORM = (400, "invalid_request", "the request is not a form with one value for each parameter")
    GRANT_TYPE = (400, "unsupported_grant_type", "grant_type must be client_credentials or token-exchange (RFC 8693)")
    PARAMETER = (400, "invalid_request", "a parameter is missing or is not known")
    ASSERTION_TYPE = (400, "invalid_request", "client_assertion_type must be jwt-bearer (RFC 7523)")
    ASSERTION_FORM = (
        401,
        "invalid_client",
        "the client assertion is not a compact JWS of {iss, sub, aud, jti, iat, exp}",
    )
    ASSERTION_KEY = (401, "invalid_client", "the client assertion is not signed by a key of a registered agent")
    ASSERTION_AUDIENCE = (401, "invalid_client", "aud of the client assertion is not the URL of this endpoint")
    ASSERTION_LIFE = (401, "invalid_client", "the client assertion lives longer than 60 seconds")
    ASSERTION_EXPIRED = (401, "invalid_client", "the client assertion has expired")
    ASSERTION_EARLY = (401, "invalid_client", "the client assertion was issued in the future")
    ASSERTION_REPLAYED = (401, "invalid_client", "the client assertion was used before")
    PROOF_MISSING = (400, "invalid_dpop_proof", "one DPoP header with a proof of the key to be bound is needed")
    PROOF_FORM = (400, "invalid_dpop_proof", "the proof is not a dpop+jwt of {jti, htm, htu, iat} with its Ed25519 key")
    PROOF_SIGNATURE = (400, "invalid_dpop_proof", "the signature of the proof does not verify")
    PROOF_TARGET = (400, "invalid_dpop_proof", "htm or htu of the proof is not of this request")
    PROOF_STALE = (400, "invalid_dpop_proof", "the proof is older than a minute or was made in the future")
    PROOF_REPLAYED = (400, "invalid_dpop_proof", "the proof was used before")
    SUBJECT_TYPE = (400, "invalid_request", "subject_token_type must be that of a JWT, an ID token or an access token")
    SUBJECT_FORM = (400, "invalid_request", "the subject token is not a JWT with sub and exp")
    SUBJECT_UNSIGNED = (400, "invalid_request", "the subject token is not signed")
    SUBJECT_ALGORITHM = (
        400,
        "invalid_request",
        "the subject token is signed with an algorithm its issuer is not trusted for",
    )
    SUBJECT_ISSUER = (400, "invalid_request", "no document trusts the issuer of the subject token")
    SUBJECT_AUDIENCE = (400, "invalid_request", "the subject token is for another audience")
    SUBJECT_KEY = (400, "invalid_request", "the subject token is signed with a key that its issuer does not publish")
    SUBJECT_KEYS_DOWN = (503, "temporarily_unavailable", "the keys of the subject token's issuer cannot be fetched now")
    SUBJECT_REVIEW = (400, "invalid_request", "the cluster of the subject token does not take it")
    SUBJECT_REVIEW_DOWN = (503, "temporarily_unavailable", "the cluster of the subject token cannot be asked now")
    SUBJECT_SIGNATURE = (400, "invalid_request", "the signature of the subject token does not verify")
    SUBJECT_EXPIRED = (400, "invalid_request", "the subject token has expired")
    SUBJECT_EARLY = (400, "invalid_request", "the subject token was issued in the future")
    SUBJECT_LIFE = (400, "invalid_request", "the subject token lives longer than its issuer is trusted for")
    SUBJECT_UNMATCHED = (
        400,
        "invalid_request",
        "no entry of the trust document matches the claims of the subject token",
    )
    SUBJECT_NAME = (
        400,
        "invalid_request",
        "a claim of the subject token that names the agent or the person is no name",
    )
    SUBJECT_REPLAYED = (400, "invalid_request", "the subject token was exchanged before")
    SUBJECT_OWN = (400, "invalid_request", "the token is not a valid one of this mesh")
    SUBJECT_HOLDER = (
        400,
        "invalid_dpop_proof",
        "the proof is not by the key that the subject token is bound to",
    )
    BOUND_TO = (400, "invalid_request", "dpop_jkt is not the thumbprint of a key, or not that of the actor token")
    GRANT_MISSING = (
        400,
        "invalid_request",
        "authorization_details are missing: what shall the token be narrowed to?",
    )
    GRANT_FORM = (400, "invalid_authorization_details", "authorization_details do not describe a task")
    GRANT_WIDER = (400, "invalid_authorization_details", "what is asked for is wider than what there is to narrow")
    GRANT_OVER = (400, "invalid_authorization_details", "the task is over, or about to be")
    GRANT_LARGE = (400, "invalid_authorization_details", "the token would be too long; grant fewer tools or values")
    PERSON = (
        400,
        "invalid_request",
        "the subject token is of a person; the agent proves itself with a client assertion beside",
    )
    AGENT = (400, "unauthorized_client", "the agent that asks is not the one that may act for this subject")
    ACTOR = (400, "invalid_request", "the actor token does not stand for an agent of its own")
    ACTORS = (400, "invalid_request", "the delegation chain is longer than five actors")
    WAY = (400, "unauthorized_client", "the agent is not registered for tokens that are bound to a key")
    REVOKED = (400, "unauthorized_client", "the agent, its tenant or its key is revoked")
    REGION = (400, "unauthorized_client", "the tenant of the agent is at home in another region")
    RATE = (429, "slow_down", "too many requests; wait a moment")
    BODY = (413, "invalid_request", "the request is too large")
    SIGNING = (503, "temporarily_unavailable", "the key service signs nothing now; try again")
    UNAVAILABLE = (503, "temporarily_unavailable", "tokens cannot be issued now; try again")

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self.value[0]

    @property
    def error(self) -> str:
        """The error code."""
        return self.value[1]

    @property
    def description(self) -> str:
        """The sentence."""
        return self.value[2]


_OF_WHAT_WAS_ASKED = (Denial.GRANT_FORM, Denial.GRANT_WIDER)
"""Whose details are about the caller's own text, and nothing else."""

_NOT_DESCRIBED = re.compile(r"[^ !#-\[\]-~]")  # RFC 6749 section 5.2


class NotIssued(Exception):
    """No token is issued. `detail` is for the journal; it never holds a token."""

    def __init__(self, denial: Denial, detail: str = "") -> None:
        super().__init__(denial.description)
        self.denial = denial
        self.detail = detail

    @property
    def description(self) -> str:
        """What the caller is told."""
        if not self.detail or self.denial not in _OF_WHAT_WAS_ASKED:
            return self.denial.description
        return _NOT_DESCRIBED.sub("?", f"{self.denial.description}: {self.detail}"[:512])
