"""Who acts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from aegis_authz.core.grant import Grant
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import ApprovalId, Basis, Digest, Epoch, Jti, Seconds


class Way(Enum):
    """How an agent proves who it is (docs/identity.md)."""

    TOKEN = "token"  # noqa: S105  # a word: a token that is good for this one call
    BOUND = "bound"  # a token bound to a key, and a proof of this call by that key
    WORKLOAD = "workload"  # the listener stands for the agent: only its process can reach it
    MTLS = "mtls"  # a client certificate with a SPIFFE id
    AGENT_KEY = "agent_key"  # a secret that stays the same: the weakest


@dataclass(frozen=True, slots=True)
class Proof:
    """The proof of one call by the key that the agent's token is bound to (RFC 9449).

    `key_id` is the thumbprint of that key. `life` is how long after `issued_at` anybody could take it, clocks that
    differ included.
    """

    jti: Jti
    key_id: str
    issued_at: Epoch
    life: Seconds


@dataclass(frozen=True, slots=True)
class Spending:
    """What a call uses up: an id that the replay memory of its tenant takes once.

    `names` tell it from all others, and no token's are a proof's. `life` is how long it could be shown again.
    """

    names: tuple[str, ...]
    issued_at: Epoch
    life: Seconds


@dataclass(frozen=True, slots=True)
class Identity:
    """The verified agent. Exists only after what it showed verified.

    `jti`, `issued_at` and `expires_at` are those of its token; where it has none, they are made for the call.
    `actors` is the delegation chain of RFC 8693 section 4.1, nearest actor first; empty when the agent acts for itself.
    `on_behalf_of` is whom the agent serves, "" when the issuer did not say. `proof` is None but for a bound token; of a
    workload it is the authorizer's own, made for the call.
    `session` is the session that the issuer says the token belongs to, "" when it does not say. `grant` is what the
    token narrows the agent to, None when policy alone decides.
    """

    scope: Scope
    issuer: str
    key_id: str
    jti: Jti
    issued_at: Epoch
    expires_at: Epoch
    actors: tuple[str, ...]
    on_behalf_of: str
    way: Way
    proof: Proof | None
    session: str
    grant: Grant | None

    @property
    def spending(self) -> Spending:
        """What this call uses up: the proof of a bound token, else the token itself."""
        proof = self.proof
        if proof is None:
            return Spending((self.issuer, self.jti), self.issued_at, Seconds(self.expires_at - self.issued_at))
        return Spending((self.issuer, proof.key_id, proof.jti), proof.issued_at, proof.life)


@dataclass(frozen=True, slots=True)
class Override:
    """The verified claims of a one-time override token: one approval, for one call of one agent."""

    approval_id: ApprovalId
    scope: Scope
    digest: Digest
    basis: Basis
    jti: Jti
    expires_at: Epoch
