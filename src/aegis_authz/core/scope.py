"""Who an agent is, by name: `org/tenant/agent`."""

from __future__ import annotations

import re
from dataclasses import dataclass

NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,61}[a-z0-9])?\Z")
"""What an org, tenant or agent may be called: a DNS label with `.` and `_`, at most 63 characters."""


@dataclass(frozen=True, slots=True)
class Scope:
    """One agent within its tenant and organisation: what policies, approvals and revocations are kept by.

    Names are checked where they come in, by `parse` and by the readers of tokens.
    """

    org: str
    tenant: str
    agent: str

    @staticmethod
    def parse(text: str) -> Scope:
        """Read `org/tenant/agent`. Raises ValueError unless it is three names."""
        names = text.split("/")
        if len(names) != 3 or any(NAME.match(name) is None for name in names):
            raise ValueError("must be org/tenant/agent, such as acme/emea/finance-agent")
        org, tenant, agent = names
        return Scope(org, tenant, agent)

    @property
    def tenant_path(self) -> str:
        """`org/tenant`."""
        return f"{self.org}/{self.tenant}"

    def __str__(self) -> str:
        return f"{self.org}/{self.tenant}/{self.agent}"
