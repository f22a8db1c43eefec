"""People: who administers and approves, in which groups and roles, and for which orgs and tenants."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from aegis_authz.core.scope import NAME, Scope

PERSON_ID = re.compile(r"[a-z0-9](?:[a-z0-9._@+-]{0,126}[a-z0-9])?\Z")
"""What a person signs in as: lower-case letters, digits and `._@+-`, so that an e-mail address is one."""

GROUP = re.compile(r"[a-z0-9](?:[a-z0-9._/-]{0,126}[a-z0-9])?\Z")
"""What a group may be called, in policies (`approval: {groups: [...]}`) as in what an identity provider says."""

_ALL = "*"


class Role(Enum):
    """What a person is to the control plane; what each may do is the table in `people/permissions.py`."""

    VIEWER = "viewer"
    APPROVER = "approver"
    POLICY_ADMIN = "policy_admin"
    AUDITOR = "auditor"
    OWNER = "owner"


@dataclass(frozen=True, slots=True)
class Domain:
    """Where a role holds: one tenant, all tenants of an org (`*`), or the whole mesh (`*` twice). Never empty."""

    org: str
    tenant: str

    def __post_init__(self) -> None:
        is_known = all(part == _ALL or NAME.match(part) for part in (self.org, self.tenant))
        if not is_known or (self.org == _ALL and self.tenant != _ALL):
            raise ValueError("must be org/tenant, an org, or * for the whole mesh")

    @staticmethod
    def parse(text: str) -> Domain:
        """Read `org/tenant`, `org`, or `*`. Raises ValueError for all else, the empty text included."""
        org, slash, tenant = text.partition("/")
        return Domain(org, tenant if slash else _ALL)

    @staticmethod
    def of(scope: Scope) -> Domain:
        """The tenant of an agent. Raises ValueError when its names are none."""
        if _ALL in (scope.org, scope.tenant):
            raise ValueError("an agent is of one tenant")
        return Domain(scope.org, scope.tenant)

    def covers(self, domain: Domain) -> bool:
        """Whether all of that domain is within this one."""
        return self.org in (_ALL, domain.org) and self.tenant in (_ALL, domain.tenant)

    def __str__(self) -> str:
        return self.org if self.tenant == _ALL else f"{self.org}/{self.tenant}"


WHOLE_MESH = Domain(_ALL, _ALL)
"""Every org and tenant, those of later included."""


@dataclass(frozen=True, slots=True)
class RoleBinding:
    """One role of a person, and where it holds."""

    role: Role
    domain: Domain

    @staticmethod
    def parse(text: str) -> RoleBinding:
        """Read `role`, which then holds in the whole mesh, or `role@org` or `role@org/tenant`. Raises ValueError."""
        word, at, domain = text.partition("@")
        try:
            role = Role(word)
        except ValueError:
            raise ValueError(f"must be one of {', '.join(known.value for known in Role)}, and @org/tenant") from None
        return RoleBinding(role, Domain.parse(domain) if at else WHOLE_MESH)

    def __str__(self) -> str:
        return self.role.value if self.domain == WHOLE_MESH else f"{self.role.value}@{self.domain}"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who proved who they are. `id` stands in records and the change log; `name` is how they are called."""

    id: str
    name: str
    groups: frozenset[str]
    roles: tuple[RoleBinding, ...]

    def __post_init__(self) -> None:
        if PERSON_ID.match(self.id) is None:
            raise ValueError(
                "a person's id must be 1 to 128 of a-z, 0-9 and ._@+-, and begin and end with the first two"
            )
        if not self.name.isprintable() or not 0 < len(self.name) <= 128:
            raise ValueError("a person's name must be 1 to 128 printable characters")
        if any(GROUP.match(group) is None for group in self.groups):
            raise ValueError("a group must be 1 to 128 of a-z, 0-9 and ._/-")
