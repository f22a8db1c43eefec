"""Enrolments, what is revoked and what was begun: the memory twins, SQLite and a real PostgreSQL are alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from sqlalchemy import Connection

from aegis_authz.adapters.sql.blocking import BlockingDatabase
from aegis_authz.adapters.sql.enrolments import SqlEnrolments
from aegis_authz.adapters.sql.first_start import SqlFirstStart
from aegis_authz.adapters.sql.revocations import SqlRevocationList
from aegis_authz.core.enrolment import NOBODY_ENROLLED, Enrolled, EnrolledKey, Invitation
from aegis_authz.core.revocation import Revocation, Revoked
from aegis_authz.core.scope import Scope
from aegis_authz.core.units import Epoch
from aegis_authz.ports.control_plane import (
    Enrolments,
    EnrolmentsFault,
    FirstStart,
    RevocationList,
    RevocationListFault,
)
from aegis_authz.ports.database import DatabaseFault
from aegis_authz.testing.agent_states import MemoryEnrolments, MemoryFirstStart, MemoryRevocationList
from tests.support.real_postgres import database_url

AGENT, NOW = Scope("acme", "emea", "payer"), Epoch(1000.25)
CODE = Invitation("a" * 64, AGENT, "ann", Epoch(2000.5))
KEY = EnrolledKey(AGENT, bytes(range(32)), NOW, "ann")
REVOKED = Revocation(Revoked.agent(AGENT), "ann", NOW)


@dataclass
class Contract:
    """The stores of two control planes on one database; in memory, twice the same."""

    enrolments: tuple[Enrolments, Enrolments]
    revoked: tuple[RevocationList, RevocationList]
    first: tuple[FirstStart, FirstStart]


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def contract(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Contract]:
    if request.param == "memory":
        twins = MemoryEnrolments(for_tests=True), MemoryRevocationList(for_tests=True), MemoryFirstStart(for_tests=True)
        yield Contract((twins[0],) * 2, (twins[1],) * 2, (twins[2],) * 2)
        return
    url = await database_url(request, tmp_path)
    here, there = BlockingDatabase(url), BlockingDatabase(url)
    here.migrate()
    yield Contract(
        (SqlEnrolments(here), SqlEnrolments(there)),
        (SqlRevocationList(here), SqlRevocationList(there)),
        (SqlFirstStart(here), SqlFirstStart(there)),
    )
    here.close()
    there.close()


def test_who_is_invited_at_one_enrols_at_another_once(contract: Contract) -> None:
    here, there = contract.enrolments
    here.refresh()
    assert here.current == NOBODY_ENROLLED
    here.invite(CODE, NOW)
    there.refresh()
    assert there.current == Enrolled((CODE,), ())
    assert there.enrol(CODE, KEY)
    assert there.current == Enrolled((), (KEY,))
    assert not here.enrol(CODE, replace(KEY, raw_key=b"k" * 32))
    here.refresh()
    assert here.current == Enrolled((), (KEY,))


def test_while_nobody_enrols_what_was_read_is_the_same(contract: Contract) -> None:
    here, there = contract.enrolments
    here.invite(CODE, NOW)
    there.refresh()
    read = there.current
    there.refresh()
    assert there.current is read


def test_a_key_is_one_agents_and_the_code_stays_good(contract: Contract) -> None:
    enrolments, _ = contract.enrolments
    second = Invitation("b" * 64, Scope("acme", "apac", "payer"), "bob", Epoch(2000.5))
    for code in (CODE, second):
        enrolments.invite(code, NOW)
    assert enrolments.enrol(CODE, KEY)
    assert not enrolments.enrol(second, replace(KEY, agent=second.agent))
    enrolments.refresh()
    assert enrolments.current == Enrolled((second,), (KEY,))


def test_codes_whose_time_is_over_are_forgotten_at_the_next_one(contract: Contract) -> None:
    enrolments, _ = contract.enrolments
    enrolments.invite(CODE, NOW)
    later = Invitation("b" * 64, AGENT, "ann", Epoch(9000.0))
    enrolments.invite(later, Epoch(2000.5))
    assert enrolments.current.invitations == (later,)


async def test_of_many_who_show_a_code_at_once_one_enrols(contract: Contract) -> None:
    contract.enrolments[0].invite(CODE, NOW)
    keys = [replace(KEY, raw_key=bytes([number]) * 32) for number in range(12)]
    steps = [asyncio.to_thread(contract.enrolments[n % 2].enrol, CODE, key) for n, key in enumerate(keys)]
    assert sorted(await asyncio.gather(*steps))[-2:] == [False, True]
    contract.enrolments[0].refresh()
    assert len(contract.enrolments[0].current.keys) == 1


def test_what_is_revoked_at_one_is_revoked_at_another(contract: Contract) -> None:
    here, there = contract.revoked
    here.add(REVOKED)
    assert here.current == (REVOKED,)
    there.refresh()
    assert there.current == (REVOKED,)
    newer = replace(REVOKED, by="bob", at=Epoch(NOW + 1))
    there.add(newer)
    here.refresh()
    assert here.current == (newer,)


def test_what_is_restored_is_revoked_no_longer_and_the_rest_is(contract: Contract) -> None:
    here, there = contract.revoked
    tenant = Revocation(Revoked.parse("acme/emea"), "ann", Epoch(NOW + 1))
    for revocation in (REVOKED, tenant):
        here.add(revocation)
    there.remove([REVOKED.target, Revoked.parse("acme/apac")])
    here.refresh()
    assert here.current == there.current == (tenant,)


def test_what_one_began_another_does_not_begin_anew(contract: Contract) -> None:
    here, there = contract.first
    assert here.life() is None
    here.begin("0af1")
    assert there.life() == "0af1"
    there.finish()
    assert here.life() == ""


def test_a_database_that_is_away_is_a_fault_and_leaves_what_was_read() -> None:
    database = BlockingDatabase("postgresql://aegis@127.0.0.1:1/aegis")
    enrolments, revoked = SqlEnrolments(database), SqlRevocationList(database)
    with pytest.raises(EnrolmentsFault, match="cannot be read or kept"):
        enrolments.refresh()
    with pytest.raises(RevocationListFault, match="cannot be read or kept"):
        revoked.add(REVOKED)
    with pytest.raises(OSError, match="the database"):
        SqlFirstStart(database).life()
    database.close()
    assert (enrolments.current, revoked.current) == (NOBODY_ENROLLED, ())


class Full(BlockingDatabase):
    """A database that can be read, and whose disk is full at every commit."""

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with super().transaction() as connection:
            yield connection
            raise DatabaseFault("the disk is full")


def test_what_could_not_be_committed_is_not_what_was_read(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/control.db"
    with closing(BlockingDatabase(url)) as database, closing(Full(url)) as full:
        database.migrate()
        SqlEnrolments(database).invite(CODE, NOW)
        SqlRevocationList(database).add(REVOKED)
        enrolments, revoked = SqlEnrolments(full), SqlRevocationList(full)
        enrolments.refresh()
        revoked.refresh()
        with pytest.raises(EnrolmentsFault):
            enrolments.enrol(CODE, KEY)
        with pytest.raises(EnrolmentsFault):
            enrolments.invite(replace(CODE, digest="b" * 64), NOW)
        with pytest.raises(RevocationListFault):
            revoked.remove([REVOKED.target])
        assert enrolments.current == Enrolled((CODE,), ())
        assert revoked.current == (REVOKED,)
        with pytest.raises(RevocationListFault):
            revoked.add(replace(REVOKED, target=Revoked.agent(Scope("acme", "emea", "other"))))
        assert revoked.current == (REVOKED,)
