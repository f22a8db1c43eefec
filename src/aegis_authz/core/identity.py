"""Who acts."""

from __future__ import annotations

import re
from dataclasses import dataclass

NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?\Z")
"""What an org, tenant or agent may be called: a DNS label with `.` and `_`, at most 63 characters."""


@dataclass(frozen=True, slots=True)
class Identity:
    """The verified agent. Exists only after its token verified.

    `issued_at` and `expires_at` are seconds since the epoch. `actors` is the delegation chain of
    RFC 8693 section 4.1, nearest actor first; empty when the agent acts for itself. `on_behalf_of` is whom the
    agent serves, "" when the issuer did not say.
    """

    org: str
    tenant: str
    agent: str
    issuer: str
    key_id: str
    jti: str
    issued_at: float
    expires_at: float
    actors: tuple[str, ...]
    on_behalf_of: str

    @property
    def scope(self) -> str:
        """`org/tenant/agent`."""
        return f"{self.org}/{self.tenant}/{self.agent}"


@dataclass(frozen=True, slots=True)
class Override:
    """The verified claims of a one-time override token: one approval, for one call of one agent."""

    approval_id: str
    scope: str
    digest: str
    revision: str
    jti: str
    expires_at: float
