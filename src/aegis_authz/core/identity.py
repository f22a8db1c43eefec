"""Who acts."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_authz.core.scope import Scope
from aegis_authz.core.units import ApprovalId, Basis, Digest, Epoch, Jti


@dataclass(frozen=True, slots=True)
class Identity:
    """The verified agent. Exists only after its token verified.

    `actors` is the delegation chain of RFC 8693 section 4.1, nearest actor first; empty when the agent acts for itself.
    `on_behalf_of` is whom the agent serves, "" when the issuer did not say.
    """

    scope: Scope
    issuer: str
    key_id: str
    jti: Jti
    issued_at: Epoch
    expires_at: Epoch
    actors: tuple[str, ...]
    on_behalf_of: str


@dataclass(frozen=True, slots=True)
class Override:
    """The verified claims of a one-time override token: one approval, for one call of one agent."""

    approval_id: ApprovalId
    scope: Scope
    digest: Digest
    basis: Basis
    jti: Jti
    expires_at: Epoch


@dataclass(frozen=True, slots=True)
class Revocation:
    """An agent whose calls are refused."""

    scope: Scope
    by: str
    at: Epoch
