"""What each role may do, as one table. What is not in it, nobody may."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from enum import Enum
from types import MappingProxyType

from aegis_authz.core.person import WHOLE_MESH, Domain, Person, Role, RoleBinding


class Permission(Enum):
    """A noun of the control plane and what is done with it, `noun:verb`."""

    READ_POLICIES = "policies:read"
    PUBLISH_POLICIES = "policies:publish"
    ACCEPT_MILDER = "policies:accept"
    READ_APPROVALS = "approvals:read"
    DECIDE_APPROVALS = "approvals:decide"
    READ_AGENTS = "agents:read"
    INVITE_AGENTS = "agents:invite"
    STOP_AGENTS = "agents:stop"
    READ_LIMITS = "limits:read"
    RESET_LIMITS = "limits:reset"
    READ_SPEND = "spend:read"
    READ_RECORDS = "records:read"
    VERIFY_RECORDS = "records:verify"
    ROTATE_KEYS = "keys:rotate"
    READ_PEOPLE = "people:read"
    APPOINT_PEOPLE = "people:appoint"
    READ_CHANGES = "changes:read"
    OWN_SESSION = "sessions:own"


_V, _A, _P, _X, _O = Role.VIEWER, Role.APPROVER, Role.POLICY_ADMIN, Role.AUDITOR, Role.OWNER

PERMISSIONS: Mapping[Permission, frozenset[Role]] = MappingProxyType(
    {
        Permission.READ_POLICIES: frozenset({_V, _A, _P, _X, _O}),
        Permission.PUBLISH_POLICIES: frozenset({_P, _O}),
        Permission.ACCEPT_MILDER: frozenset({_O}),
        Permission.READ_APPROVALS: frozenset({_A, _X, _O}),
        Permission.DECIDE_APPROVALS: frozenset({_A, _O}),
        Permission.READ_AGENTS: frozenset({_V, _A, _P, _X, _O}),
        Permission.INVITE_AGENTS: frozenset({_P, _O}),
        Permission.STOP_AGENTS: frozenset({_P, _O}),
        Permission.READ_LIMITS: frozenset({_V, _P, _X, _O}),
        Permission.RESET_LIMITS: frozenset({_O}),
        Permission.READ_SPEND: frozenset({_V, _P, _X, _O}),
        Permission.READ_RECORDS: frozenset({_A, _P, _X, _O}),
        Permission.VERIFY_RECORDS: frozenset({_X, _O}),
        Permission.ROTATE_KEYS: frozenset({_O}),
        Permission.READ_PEOPLE: frozenset({_X, _O}),
        Permission.APPOINT_PEOPLE: frozenset({_O}),
        Permission.READ_CHANGES: frozenset({_X, _O}),
        Permission.OWN_SESSION: frozenset({_V, _A, _P, _X, _O}),
    }
)
"""Which roles carry each permission."""

BOOTSTRAP_OWNER = Person("bootstrap-owner", "Bootstrap owner", frozenset(), (RoleBinding(Role.OWNER, WHOLE_MESH),))
"""Whoever holds the admin token of the key folder: named as such in records, because nothing proves another name."""

CONTROL = "control"
"""As whom the control plane stands in the change log, for what it does by itself."""

RESERVED_IDS = frozenset({BOOTSTRAP_OWNER.id, CONTROL})
"""Who is nobody to sign in: the holder of the admin token, and the control plane, which publishes by itself."""


def may(person: Person, permission: Permission, domain: Domain) -> bool:
    """Whether the person may do it everywhere in that domain. A permission that is not in the table, nobody has."""
    roles = PERMISSIONS.get(permission, frozenset())
    return any(binding.role in roles and binding.domain.covers(domain) for binding in person.roles)


def domains_of(person: Person, permission: Permission) -> tuple[Domain, ...]:
    """Where the person may do it: all that these domains cover, and nothing else."""
    roles = PERMISSIONS.get(permission, frozenset())
    return tuple(dict.fromkeys(binding.domain for binding in person.roles if binding.role in roles))


def narrowed(person: Person, roles: tuple[RoleBinding, ...]) -> Person:
    """The same person with those of these roles whose every permission the person has where the role holds."""

    def has(binding: RoleBinding) -> bool:
        permissions = [permission for permission, carriers in PERMISSIONS.items() if binding.role in carriers]
        return all(may(person, permission, binding.domain) for permission in permissions)

    return replace(person, roles=tuple(binding for binding in roles if has(binding)))


def may_somewhere(person: Person, permission: Permission) -> bool:
    """Whether there is any domain in which the person may do it."""
    roles = PERMISSIONS.get(permission, frozenset())
    return any(binding.role in roles for binding in person.roles)
