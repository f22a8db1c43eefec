"""That a person with several names is one, where a call takes several people."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from aegis_authz.adapters.system import SystemClock
from aegis_authz.approvals.separation import Separation
from aegis_authz.core.approval import ApprovalForbidden
from aegis_authz.core.units import ApprovalId, Epoch
from aegis_authz.ports.people import Account
from aegis_authz.testing.issuing import MemorySingleUses
from aegis_authz.testing.people import MemoryPeople
from tests.support.held_calls import REQUEST
from tests.support.people import person

TWO = replace(REQUEST, approvals=2, expires_at=Epoch(SystemClock().now() + 900))
TENANT, PUPPET, TWIN, ANN = (person(name, "owner@acme/emea") for name in ("tenant", "puppet", "twin", "ann"))


@pytest.fixture
async def people() -> MemoryPeople:
    people = MemoryPeople(for_tests=True)
    for somebody in (TENANT, PUPPET, TWIN, ANN):
        await people.add(Account(somebody, is_disabled=False, created=Epoch(1.0)))
    for name in ("puppet", "twin"):
        await people.add_sponsor(name, "tenant")
    return people


@pytest.fixture
def separation(people: MemoryPeople) -> Separation:
    return Separation(people, MemorySingleUses(SystemClock(), for_tests=True))


def now() -> Epoch:
    return SystemClock().now()


async def test_whom_one_person_let_in_is_no_second_approver(separation: Separation) -> None:
    await separation.require(TWO, PUPPET, now())
    await separation.require(TWO, PUPPET, now())  # who tries again is the same person still
    for name in (TENANT, TWIN):
        with pytest.raises(ApprovalForbidden, match="tenant answers for puppet"):
            await separation.require(TWO, name, now())
    await separation.require(TWO, ANN, now())


async def test_two_names_of_one_person_at_once_are_one(separation: Separation) -> None:
    steps = (separation.require(TWO, name, now()) for name in (TENANT, PUPPET, TWIN, ANN))
    answers = await asyncio.gather(*steps, return_exceptions=True)
    assert [isinstance(answer, ApprovalForbidden) for answer in answers].count(True) == 2


async def test_who_was_confirmed_is_a_person_of_their_own(separation: Separation, people: MemoryPeople) -> None:
    await people.forget_sponsors("puppet")
    await separation.require(TWO, TENANT, now())
    await separation.require(TWO, PUPPET, now())
    with pytest.raises(ApprovalForbidden):
        await separation.require(TWO, TWIN, now())


async def test_where_one_approval_is_enough_and_for_another_call_anybody_is(separation: Separation) -> None:
    for request in (replace(TWO, approvals=1), TWO, replace(TWO, id=ApprovalId(f"apr_{'b' * 34}"))):
        await separation.require(request, PUPPET, now())
    await separation.require(replace(TWO, approvals=1), TENANT, now())
