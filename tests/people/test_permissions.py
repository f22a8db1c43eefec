from __future__ import annotations

from typing import cast

import pytest

from aegis_authz.core.person import WHOLE_MESH, Domain, Person, Role, RoleBinding
from aegis_authz.people.permissions import BOOTSTRAP_OWNER, PERMISSIONS, Permission, may, may_somewhere

EMEA, APAC, ACME = Domain.parse("acme/emea"), Domain.parse("acme/apac"), Domain.parse("acme")


def person(*roles: str) -> Person:
    return Person("ann", "Ann", frozenset(), tuple(RoleBinding.parse(role) for role in roles))


def test_every_permission_has_its_row_and_an_owner_has_them_all() -> None:
    assert PERMISSIONS.keys() == set(Permission)
    assert all(Role.OWNER in roles for roles in PERMISSIONS.values())


def test_a_permission_is_a_noun_and_a_verb() -> None:
    assert all(len(permission.value.split(":")) == 2 for permission in Permission)


@pytest.mark.parametrize("role", [Role.VIEWER, Role.AUDITOR])
def test_who_only_looks_changes_nothing(role: Role) -> None:
    verbs = {permission.value.split(":")[1] for permission, roles in PERMISSIONS.items() if role in roles}
    assert verbs <= {"read", "verify", "own"}


def test_who_writes_policy_decides_no_approval_and_appoints_nobody() -> None:
    writer = person("policy_admin")
    assert may(writer, Permission.PUBLISH_POLICIES, WHOLE_MESH)
    for permission in (Permission.DECIDE_APPROVALS, Permission.APPOINT_PEOPLE, Permission.ROTATE_KEYS):
        assert not may_somewhere(writer, permission)


def test_a_role_of_a_tenant_ends_at_the_tenant() -> None:
    approver = person("approver@acme/emea")
    assert may(approver, Permission.DECIDE_APPROVALS, EMEA)
    for domain in (APAC, ACME, WHOLE_MESH, Domain.parse("globex/emea")):
        assert not may(approver, Permission.DECIDE_APPROVALS, domain)


def test_two_tenants_are_not_their_org() -> None:
    assert not may(person("viewer@acme/emea", "viewer@acme/apac"), Permission.READ_AGENTS, ACME)


def test_a_role_in_one_tenant_lends_nothing_to_a_role_in_another() -> None:
    both = person("viewer@acme/apac", "approver@acme/emea")
    assert not may(both, Permission.DECIDE_APPROVALS, APAC)
    assert may_somewhere(both, Permission.DECIDE_APPROVALS)


def test_nobody_without_a_role_may_anything() -> None:
    assert not any(may(person(), permission, EMEA) or may_somewhere(person(), permission) for permission in Permission)


def test_a_permission_without_a_row_is_nobodys() -> None:
    unknown = cast("Permission", "approvals:forge")
    assert not may(BOOTSTRAP_OWNER, unknown, WHOLE_MESH)
    assert not may_somewhere(BOOTSTRAP_OWNER, unknown)


def test_the_bootstrap_owner_may_everything_under_a_name_that_says_so() -> None:
    assert all(may(BOOTSTRAP_OWNER, permission, WHOLE_MESH) for permission in Permission)
    assert BOOTSTRAP_OWNER.id == "bootstrap-owner"


def test_who_reads_held_calls_reads_their_records_to_which_their_pages_lead() -> None:
    assert PERMISSIONS[Permission.READ_APPROVALS] <= PERMISSIONS[Permission.READ_RECORDS]
