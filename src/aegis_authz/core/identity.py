"""Who acts."""

from __future__ import annotations

from dataclasses import dataclass

from aegis_authz.core.scope import Scope


@dataclass(frozen=True, slots=True)
class Identity:
    """The verified agent. Exists only after its token verified.

    `issued_at` and `expires_at` are seconds since the epoch. `actors` is the delegation chain of
    RFC 8693 section 4.1, nearest actor first; empty when the agent acts for itself. `on_behalf_of` is whom the
    agent serves, "" when the issuer did not say.
    """

    scope: Scope
    issuer: str
    key_id: str
    jti: str
    issued_at: float
    expires_at: float
    actors: tuple[str, ...]
    on_behalf_of: str


@dataclass(frozen=True, slots=True)
class Override:
    """The verified claims of a one-time override token: one approval, for one call of one agent."""

    approval_id: str
    scope: Scope
    digest: str
    revision: str
    jti: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Revocation:
    """An agent whose calls are refused. `at` is seconds since the epoch."""

    scope: Scope
    by: str
    at: float
