"""Stage 2: what the request shows -> Identity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from aegis_authz.core.identity import Identity, Override, Way
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.snapshot import Snapshot, Trust
from aegis_authz.core.units import Epoch
from aegis_authz.identity.proof import ProvenRequest, read_proof, token_hash
from aegis_authz.identity.token import AgentToken, read_override_token
from aegis_authz.identity.token_memory import TokenMemory
from aegis_authz.wire.http.call import HttpCall
from aegis_authz.wire.http.target import targets

_MOST_TOKENS = 4096  # bound tokens that are remembered: some 4 MB


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Which ways of proving an identity a listener takes; `otherwise` is for those that `listeners` does not name."""

    otherwise: frozenset[Way]
    listeners: Mapping[str, frozenset[Way]]

    def require(self, way: Way, listener: str) -> None:
        """Raise Refused(CREDENTIAL_NOT_ACCEPTED) unless the listener takes that way."""
        if way not in self.listeners.get(listener, self.otherwise):
            raise Refused(Reason.CREDENTIAL_NOT_ACCEPTED, f"the listener {listener!r} does not take {way.value}")


class Authenticator:
    """Who sends a request, by exactly one credential that its listener takes."""

    def __init__(self, acceptance: Acceptance) -> None:
        self._acceptance = acceptance
        self._tokens = TokenMemory(_MOST_TOKENS)

    def identify(self, http: HttpCall, snapshot: Snapshot, now: Epoch) -> Identity:
        """Verify the agent token in x-aegis-token or Proxy-Authorization: Bearer, and its proof in x-aegis-proof.

        Raises Refused with a CREDENTIAL_ or PROOF_ reason, CREDENTIAL_AMBIGUOUS for more than one token, more than
        one proof, and a proof beside a token that needs none.
        """
        tokens = [*http.headers.get("x-aegis-token", ()), *map(_bearer, http.headers.get("proxy-authorization", ()))]
        proofs = http.headers.get("x-aegis-proof", ())
        if not tokens:
            raise Refused(Reason.CREDENTIAL_MISSING)
        if len(tokens) > 1 or len(proofs) > 1:
            raise Refused(Reason.CREDENTIAL_AMBIGUOUS, f"{len(tokens)} tokens, {len(proofs)} proofs")
        digest = token_hash(tokens[0])
        token = self._tokens.read(tokens[0], digest, snapshot.trust, now)
        if token.bound_key:
            return self._proven(token, digest, proofs, http, snapshot, now)
        if proofs:
            raise Refused(Reason.CREDENTIAL_AMBIGUOUS, "a proof beside a token that is bound to no key")
        self._acceptance.require(Way.TOKEN, http.listener)
        return token.identity(Way.TOKEN, None)

    def _proven(
        self, token: AgentToken, digest: str, proofs: tuple[str, ...], http: HttpCall, snapshot: Snapshot, now: Epoch
    ) -> Identity:
        self._acceptance.require(Way.BOUND, http.listener)
        if not proofs:
            raise Refused(Reason.PROOF_MISSING)
        request = ProvenRequest(http.method, targets(http, snapshot.catalogue), http.body)
        proof = read_proof(proofs[0], token.bound_key, digest, request, now, snapshot.trust.clock_skew)
        return token.identity(Way.BOUND, proof)


def read_override(http: HttpCall, identity: Identity, trust: Trust, now: Epoch) -> Override | None:
    """Verify the override token in x-aegis-approval, None when there is none.

    Raises Refused with APPROVAL_INVALID or APPROVAL_EXPIRED, and APPROVAL_MISMATCH when it was given to another agent.
    """
    token = http.header("x-aegis-approval")
    if token is None:
        return None
    override = read_override_token(token, trust, now)
    if override.scope != identity.scope:
        raise Refused(Reason.APPROVAL_MISMATCH, "given to another agent")
    return override


def _bearer(value: str) -> str:
    scheme, _, token = value.partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise Refused(Reason.CREDENTIAL_MALFORMED, "Proxy-Authorization is not a Bearer token")
    return token.strip()
