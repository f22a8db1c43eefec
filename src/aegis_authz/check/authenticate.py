"""Stage 2: what the request shows -> Identity."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from ipaddress import IPv4Network, IPv6Network, ip_address
from types import MappingProxyType

from aegis_authz.check.credentials import credentials_of
from aegis_authz.check.workload import Workload, read_workload
from aegis_authz.core.address import is_loopback
from aegis_authz.core.identity import Identity, Override, Way
from aegis_authz.core.reason import Reason
from aegis_authz.core.refused import Refused
from aegis_authz.core.snapshot import Snapshot, Trust
from aegis_authz.core.units import Epoch, Jti
from aegis_authz.identity.agent_key import read_agent_key
from aegis_authz.identity.certificate import read_certificate
from aegis_authz.identity.proof import PROOF_LIFE, ProvenRequest, read_past_proof, read_proof, token_hash
from aegis_authz.identity.token import read_agent_token, read_override_token
from aegis_authz.identity.token_memory import TokenMemory
from aegis_authz.wire.envoy.client_certificate import client_certificate
from aegis_authz.wire.http.call import HttpCall, Tunnel
from aegis_authz.wire.http.target import targets, tunnel_target

_MOST_TOKENS = 4096  # bound tokens that are remembered: some 4 MB
NO_WORKLOADS: Mapping[str, Workload] = MappingProxyType({})
"""No listener stands for an agent."""


@dataclass(frozen=True, slots=True)
class Acceptance:
    """Which ways of proving an identity a listener takes; `otherwise` is for those that `listeners` does not name.

    `private_networks` are those in which nobody sits between an agent and Envoy, as on loopback.
    """

    otherwise: frozenset[Way]
    listeners: Mapping[str, frozenset[Way]]
    private_networks: tuple[IPv4Network | IPv6Network, ...] = ()

    def takes(self, way: Way, listener: str) -> bool:
        """Whether the listener takes that way."""
        return way in self.listeners.get(listener, self.otherwise)

    def is_private(self, http: HttpCall) -> bool:
        """Whether nobody on the way could read or change what came."""
        if http.over_tls or is_loopback(http.source):
            return True
        try:
            source = ip_address(http.source)
        except ValueError:
            return False
        return any(source in network for network in self.private_networks)

    def require(self, way: Way, listener: str) -> None:
        """Raise Refused(CREDENTIAL_NOT_ACCEPTED) unless the listener takes that way."""
        if not self.takes(way, listener):
            raise Refused(Reason.CREDENTIAL_NOT_ACCEPTED, f"the listener {listener!r} does not take {way.value}")


class Authenticator:
    """Who sends a request, by exactly one credential that its listener takes.

    `new_id` names a call that has no token of its own. `workloads` are the listeners that stand for an agent.
    """

    def __init__(
        self, acceptance: Acceptance, new_id: Callable[[], str], workloads: Mapping[str, Workload] = NO_WORKLOADS
    ) -> None:
        self._acceptance = acceptance
        self._workloads = workloads
        self._new_id = new_id
        self._tokens = TokenMemory(_MOST_TOKENS)

    def identify(self, http: HttpCall, snapshot: Snapshot, now: Epoch) -> Identity:
        """Verify the agent's token and its proof, or its key, or its client certificate (docs/identity.md); or take it
        for the agent that its listener stands for.

        Raises Refused with a CREDENTIAL_ or PROOF_ reason, CREDENTIAL_AMBIGUOUS for more than one credential, more
        than one proof, and a proof beside what needs none; CREDENTIAL_NOT_ACCEPTED for a way that the listener does
        not take, or that is not registered for the agent; WORKLOAD_UNAVAILABLE.
        """
        identity = self._verified(http, snapshot, now)
        if identity.way not in snapshot.agents.of_agent(identity.scope).ways:
            raise Refused(Reason.CREDENTIAL_NOT_ACCEPTED, f"{identity.way.value} is no way of {identity.scope}")
        return identity

    def _verified(self, http: HttpCall, snapshot: Snapshot, now: Epoch) -> Identity:
        credentials = credentials_of(http)
        workload = self._workloads.get(http.listener)
        if workload is not None:
            return read_workload(workload, http, credentials, self._tokens, snapshot.trust, now, self._new_id)
        # what a gateway of others says of certificates and addresses any client of it may have said
        takes_certificates = bool(http.listener) and self._acceptance.takes(Way.MTLS, http.listener)
        certificate = client_certificate(http) if takes_certificates else None
        amount = len(credentials.tokens) + len(credentials.agent_keys) + (certificate is not None)
        if amount > 1 or len(credentials.proofs) > 1:
            raise Refused(Reason.CREDENTIAL_AMBIGUOUS, f"{amount} credentials, {len(credentials.proofs)} proofs")
        if credentials.tokens:
            return self._by_token(credentials.tokens[0], credentials.proofs, http, snapshot, now)
        if not amount:
            raise Refused(Reason.CREDENTIAL_MISSING)
        if credentials.proofs:
            raise Refused(Reason.CREDENTIAL_AMBIGUOUS, "a proof without a token")
        jti = Jti(self._new_id())
        if certificate is not None:
            return read_certificate(certificate.spiffe_id, certificate.fingerprint, snapshot.agents, now, jti)
        if not http.listener:
            raise Refused(Reason.CREDENTIAL_NOT_ACCEPTED, "an agent key by a gateway that is none of ours")
        self._acceptance.require(Way.AGENT_KEY, http.listener)
        is_private = self._acceptance.is_private(http)
        return read_agent_key(credentials.agent_keys[0], http.source, is_private, snapshot.agents, now, jti)

    def _by_token(self, text: str, proofs: tuple[str, ...], http: HttpCall, snapshot: Snapshot, now: Epoch) -> Identity:
        if proofs:
            return self._by_proof(text, proofs[0], http, snapshot, now)
        if http.tunnel is not None and http.tunnel.proof:
            return self._by_tunnel(text, http.tunnel, http, snapshot, now)
        token = read_agent_token(text, snapshot.trust, now)  # good once, so nothing of it is worth remembering
        if token.bound_key:
            self._acceptance.require(Way.BOUND, http.listener)
            raise Refused(Reason.PROOF_MISSING)
        self._acceptance.require(Way.TOKEN, http.listener)
        return token.identity(Way.TOKEN, None)

    def _by_proof(self, text: str, proof_text: str, http: HttpCall, snapshot: Snapshot, now: Epoch) -> Identity:
        digest = token_hash(text)
        token = self._tokens.read(text, digest, snapshot.trust, now)
        if not token.bound_key:
            raise Refused(Reason.CREDENTIAL_AMBIGUOUS, "a proof beside a token that is bound to no key")
        self._acceptance.require(Way.BOUND, http.listener)
        request = ProvenRequest(http.method, targets(http, snapshot.catalogue), http.body)
        proof = read_proof(proof_text, token.bound_key, digest, request, now, snapshot.trust.clock_skew)
        return token.identity(Way.BOUND, proof)

    def _by_tunnel(self, text: str, tunnel: Tunnel, http: HttpCall, snapshot: Snapshot, now: Epoch) -> Identity:
        """By the proof of the CONNECT, which was spent when the tunnel was opened, for as long as its token lives.

        Whoever sits between the client and us could open a tunnel with it and speak inside, so the way must be private.
        """
        digest = token_hash(text)
        token = self._tokens.read(text, digest, snapshot.trust, now)
        if not token.bound_key:
            raise Refused(Reason.CREDENTIAL_AMBIGUOUS, "a proof beside a token that is bound to no key")
        self._acceptance.require(Way.BOUND, http.listener)
        if not self._acceptance.is_private(http):
            raise Refused(
                Reason.CREDENTIAL_NOT_ACCEPTED, "the proof of a CONNECT that came neither by TLS nor a private way"
            )
        request = ProvenRequest("CONNECT", (tunnel_target(tunnel.target),), b"")
        proof = read_past_proof(tunnel.proof, token.bound_key, digest, request)
        return token.identity(Way.BOUND, replace(proof, jti=Jti(self._new_id()), issued_at=now, life=PROOF_LIFE))


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
