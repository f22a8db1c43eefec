"""One suite for people, how they sign in and the change log: the memory twin, SQLite and a real PostgreSQL are alike."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from aegis_authz.adapters.sql.change_log import SqlChangeLog
from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.people import SqlPeople
from aegis_authz.adapters.sql.sign_in import SqlSignIn
from aegis_authz.core.change_line import FIRST_PREVIOUS, Act, verify_lines
from aegis_authz.core.person import Person, RoleBinding
from aegis_authz.core.sign_in import (
    FAILURES_LEAK,
    FAILURES_LIFE,
    PLACE_LIFE,
    ApiKey,
    CertificateKind,
    CertificateName,
    Failures,
    Session,
)
from aegis_authz.core.units import Epoch
from aegis_authz.ports.change_log import ChangeLog
from aegis_authz.ports.database import Transactions
from aegis_authz.ports.people import Account, PeopleStore, PersonConflict, PersonUnknown
from aegis_authz.ports.sign_in import SignInStore
from aegis_authz.testing.people import MemoryPeople
from tests.support.real_postgres import database_url

ANN = Person("ann", "Ann Lee", frozenset({"finance", "ops"}), (RoleBinding.parse("approver@acme/emea"),))
BOB = Person("bob@acme.example", "Bob", frozenset(), (RoleBinding.parse("auditor@acme"), RoleBinding.parse("owner")))


@dataclass
class Contract:
    people: PeopleStore
    sign_in: SignInStore
    changes: ChangeLog
    transactions: Transactions

    async def hire(self, *people: Person) -> None:
        for person in people:
            await self.people.add(Account(person, is_disabled=False, created=Epoch(100.25)))


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def contract(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Contract]:
    if request.param == "memory":
        twin = MemoryPeople(for_tests=True)
        yield Contract(twin, twin, twin, twin)
        return
    database = Database(await database_url(request, tmp_path))
    await database.migrate()
    yield Contract(SqlPeople(database), SqlSignIn(database), SqlChangeLog(database), database)
    await database.close()


async def test_a_person_is_kept_with_groups_and_roles(contract: Contract) -> None:
    await contract.hire(BOB, ANN)
    assert (await contract.people.account("ann")).person == ANN
    assert [account.person for account in await contract.people.accounts()] == [ANN, BOB]
    assert (await contract.people.account("ann")).created == 100.25


async def test_an_id_is_one_persons(contract: Contract) -> None:
    await contract.hire(ANN)
    with pytest.raises(PersonConflict, match="ann"):
        await contract.hire(replace(ANN, name="Another Ann"))
    assert (await contract.people.account("ann")).person.name == "Ann Lee"


async def test_what_is_kept_of_a_person_is_replaced_whole(contract: Contract) -> None:
    await contract.hire(ANN)
    viewer = Person("ann", "Ann", frozenset({"ops"}), (RoleBinding.parse("viewer"),))
    await contract.people.replace(Account(viewer, is_disabled=True, created=Epoch(7.0)))
    account = await contract.people.account("ann")
    assert (account.person, account.is_disabled, account.created) == (viewer, True, 100.25)


async def test_nobody_can_be_replaced_or_given_a_password_or_a_key_or_a_session(contract: Contract) -> None:
    sign_in = contract.sign_in
    key = ApiKey("k1", "h", "ann", "ci", ANN.roles, Epoch(1.0), Epoch(9.0), is_revoked=False)
    for step in (
        contract.people.account("ann"),
        contract.people.replace(Account(ANN, is_disabled=False, created=Epoch(1.0))),
        contract.people.link("ann", "slack", "U1"),
        contract.people.at_address("slack", "U1"),
        sign_in.set_password("ann", "x"),
        sign_in.password_hash("ann"),
        sign_in.open_session(Session("h", "ann", Epoch(1.0), Epoch(9.0))),
        sign_in.add_key(key),
    ):
        with pytest.raises(PersonUnknown):
            await step
    assert await contract.people.accounts() == []


async def test_an_address_in_a_channel_is_one_persons(contract: Contract) -> None:
    await contract.hire(ANN, BOB)
    await contract.people.link("ann", "slack", "U1")
    await contract.people.link("ann", "email", "U1")
    with pytest.raises(PersonConflict, match="slack"):
        await contract.people.link(BOB.id, "slack", "U1")
    assert (await contract.people.at_address("slack", "U1")).person == ANN
    await contract.people.link("ann", "slack", "U2")
    await contract.people.link(BOB.id, "slack", "U1")
    assert await contract.people.addresses("slack") == {"ann": "U2", BOB.id: "U1"}
    await contract.people.link("ann", "slack", "")
    assert await contract.people.addresses("slack") == {BOB.id: "U1"}
    assert await contract.people.addresses("email") == {"ann": "U1"}


async def test_a_refused_address_leaves_the_one_of_before(contract: Contract) -> None:
    await contract.hire(ANN, BOB)
    await contract.people.link("ann", "slack", "U1")
    await contract.people.link(BOB.id, "slack", "U2")
    with pytest.raises(PersonConflict):
        await contract.people.link("ann", "slack", "U2")
    assert await contract.people.addresses("slack") == {"ann": "U1", BOB.id: "U2"}


async def test_a_password_is_replaced(contract: Contract) -> None:
    await contract.hire(ANN)
    assert await contract.sign_in.password_hash("ann") == ""
    await contract.sign_in.set_password("ann", "$argon2id$1")
    await contract.sign_in.set_password("ann", "$argon2id$2")
    assert await contract.sign_in.password_hash("ann") == "$argon2id$2"


async def test_a_session_ends_by_hand_by_person_and_is_forgotten_when_it_is_over(contract: Contract) -> None:
    await contract.hire(ANN, BOB)
    sign_in = contract.sign_in
    sessions = {
        name: Session(name, person.id, Epoch(10.0), Epoch(expires))
        for name, person, expires in (("a", ANN, 20.0), ("b", ANN, 900.0), ("c", BOB, 900.0), ("d", ANN, 900.0))
    }
    for session in sessions.values():
        await sign_in.open_session(session)
    assert await sign_in.session("a") == sessions["a"]
    await sign_in.open_session(Session("e", "ann", Epoch(20.0), Epoch(900.0)))
    assert await sign_in.session("a") is None
    await sign_in.end_session("b")
    await sign_in.end_session("b")
    assert await sign_in.session("b") is None
    await sign_in.end_sessions("ann")
    assert [await sign_in.session(name) for name in "cde"] == [sessions["c"], None, None]


async def test_an_api_key_is_revoked_once(contract: Contract) -> None:
    await contract.hire(ANN, BOB)
    first = ApiKey("k1", "h1", "ann", "ci", ANN.roles, Epoch(1.0), Epoch(9.0), is_revoked=False)
    second = ApiKey("k2", "h2", BOB.id, "laptop", (), Epoch(2.0), Epoch(9.0), is_revoked=False)
    await contract.sign_in.add_key(first)
    await contract.sign_in.add_key(second)
    assert await contract.sign_in.keys() == [second, first]
    assert [await contract.sign_in.revoke_key(name) for name in ("k1", "k1", "k3")] == [True, False, False]
    assert await contract.sign_in.key("k1") == replace(first, is_revoked=True)
    assert await contract.sign_in.key("k3") is None


async def test_a_code_is_good_once_and_in_time(contract: Contract) -> None:
    sign_in = contract.sign_in
    await sign_in.put_code("c1", "", Epoch(10.0))
    assert [await sign_in.take_code("c1", Epoch(9.0)) for _ in range(2)] == ["", None]
    await sign_in.put_code("c2", "ann", Epoch(10.0))
    assert await sign_in.take_code("c2", Epoch(10.0)) is None
    assert await sign_in.take_code("c2", Epoch(1.0)) is None
    await sign_in.put_code("c3", "ann", Epoch(10.0))
    await sign_in.put_code("c4", "ann", Epoch(10.0))
    assert [await sign_in.take_code(name, Epoch(1.0)) for name in ("c3", "c4")] == [None, "ann"]


async def test_a_code_that_is_added_leaves_those_of_before_and_a_new_one_for_a_password_ends_all(
    contract: Contract,
) -> None:
    sign_in = contract.sign_in
    await sign_in.put_code("c1", "ann", Epoch(10.0))
    await sign_in.add_code("c2", "ann", Epoch(1.0), Epoch(3.0))
    await sign_in.add_code("c3", "ann", Epoch(2.0), Epoch(4.0))
    assert [await sign_in.take_code(name, Epoch(2.0)) for name in ("c1", "c2")] == ["ann", "ann"]
    await sign_in.put_code("c4", "ann", Epoch(10.0))
    assert await sign_in.take_code("c3", Epoch(2.0)) is None
    await sign_in.add_code("c5", "ann", Epoch(10.0), Epoch(12.0))
    assert await sign_in.take_code("c4", Epoch(9.0)) is None  # its time was over: it is kept no longer


async def test_the_codes_of_a_person_end_and_those_of_others_do_not(contract: Contract) -> None:
    sign_in = contract.sign_in
    await sign_in.put_code("c1", "ann", Epoch(10.0))
    await sign_in.add_code("c2", "ann", Epoch(1.0), Epoch(10.0))
    await sign_in.put_code("c3", "bob", Epoch(10.0))
    for _ in range(2):
        await sign_in.end_codes("ann")
    assert [await sign_in.take_code(name, Epoch(2.0)) for name in ("c1", "c2", "c3")] == [None, None, "bob"]


async def test_of_many_who_take_a_code_at_once_one_gets_it(contract: Contract) -> None:
    await contract.sign_in.put_code("c1", "ann", Epoch(10.0))
    answers = await asyncio.gather(*(contract.sign_in.take_code("c1", Epoch(1.0)) for _ in range(16)))
    assert sorted(answers, key=str) == [None] * 15 + ["ann"]


async def test_where_a_person_has_signed_in_is_kept_for_a_while(contract: Contract) -> None:
    await contract.hire(ANN, BOB)
    sign_in, late = contract.sign_in, Epoch(5.0 + PLACE_LIFE)
    assert not await sign_in.has_place("ann", "192.0.2.7", Epoch(5.0))
    for _ in range(2):
        await sign_in.note_place("ann", "192.0.2.7", Epoch(5.0))
    assert await sign_in.has_place("ann", "192.0.2.7", Epoch(late - 1))
    assert not await sign_in.has_place("ann", "192.0.2.7", late)
    assert not await sign_in.has_place("ann", "192.0.2.8", Epoch(5.0))
    assert not await sign_in.has_place(BOB.id, "192.0.2.7", Epoch(5.0))
    await sign_in.note_place("ann", "192.0.2.8", late)
    assert not await sign_in.has_place("ann", "192.0.2.7", Epoch(6.0)), "what is over is forgotten"
    with pytest.raises(PersonUnknown):
        await sign_in.note_place("eve", "192.0.2.7", Epoch(5.0))


async def test_who_answers_for_a_person_is_kept_until_it_is_forgotten(contract: Contract) -> None:
    await contract.hire(ANN, BOB)
    people = contract.people
    assert await people.sponsors() == {}
    for sponsor in ("tia", "tia", "org"):
        await people.add_sponsor("ann", sponsor)
    await people.add_sponsor(BOB.id, "tia")
    assert await people.sponsors() == {"ann": {"tia", "org"}, BOB.id: {"tia"}}
    await people.forget_sponsors("ann")
    await people.forget_sponsors("nobody")
    assert await people.sponsors() == {BOB.id: {"tia"}}
    with pytest.raises(PersonUnknown):
        await people.add_sponsor("eve", "tia")


async def test_a_name_of_certificates_is_one_persons(contract: Contract) -> None:
    await contract.hire(ANN, BOB)
    sign_in = contract.sign_in
    uri, email = (
        CertificateName(CertificateKind.URI, "spiffe://acme.example/ann"),
        CertificateName(CertificateKind.EMAIL, "spiffe@acme.example"),
    )
    for name in (uri, email, uri):
        await sign_in.add_certificate("ann", name)
    assert await sign_in.certificates("ann") == [email, uri]
    assert await sign_in.certificates(BOB.id) == []
    with pytest.raises(PersonConflict):
        await sign_in.add_certificate(BOB.id, uri)
    with pytest.raises(PersonUnknown):
        await sign_in.add_certificate("eve", CertificateName(CertificateKind.SUBJECT, "CN=eve"))
    # one kind is not another, whatever its text
    assert await sign_in.certificate_holders([CertificateName(CertificateKind.SUBJECT, uri.value)]) == set()
    assert await sign_in.certificate_holders([]) == set()
    assert not await sign_in.remove_certificate(BOB.id, uri)
    assert await sign_in.certificate_holders([uri, email]) == {"ann"}
    assert [await sign_in.remove_certificate("ann", uri) for _ in range(2)] == [True, False]
    await sign_in.add_certificate(BOB.id, uri)
    assert await sign_in.certificate_holders([uri, email]) == {"ann", BOB.id}


async def test_failures_are_counted_in_a_row(contract: Contract) -> None:
    sign_in = contract.sign_in
    assert await sign_in.failures("ann") == Failures(0, Epoch(0.0))
    for moment in (1.0, 2.0, 5.5):
        await sign_in.note_failure("ann", Epoch(moment))
    failures = await sign_in.failures("ann")
    assert (failures.count, failures.last) == (pytest.approx(3, abs=0.02), 5.5)
    assert (await sign_in.failures("bob")).count == 0
    await sign_in.forget_failures("ann")
    assert (await sign_in.failures("ann")).count == 0


async def test_failures_leak_away_and_never_below_none(contract: Contract) -> None:
    sign_in = contract.sign_in
    for moment in (0.0, 0.0, 0.0, 0.5 * FAILURES_LEAK, 2.0 * FAILURES_LEAK):
        await sign_in.note_failure("ann", Epoch(1000.0 + moment))
    assert (await sign_in.failures("ann")).count == pytest.approx(3.0)
    await sign_in.note_failure("ann", Epoch(1000.0 + 50 * FAILURES_LEAK))
    assert (await sign_in.failures("ann")).count == 1.0


async def test_failures_at_once_are_all_counted(contract: Contract) -> None:
    await asyncio.gather(*(contract.sign_in.note_failure("ann", Epoch(5.0)) for _ in range(12)))
    assert (await contract.sign_in.failures("ann")).count == 12


async def test_failures_of_long_ago_are_forgotten(contract: Contract) -> None:
    sign_in = contract.sign_in
    await sign_in.note_failure("ann", Epoch(1.0))
    await sign_in.note_failure("bob", Epoch(2.0))
    await sign_in.note_failure("eve", Epoch(1.5 + FAILURES_LIFE))
    assert [(await sign_in.failures(name)).count for name in ("ann", "bob", "eve")] == [0, 1, 1]


def act(number: int) -> Act:
    return Act(Epoch(number + 0.125), "ann", "people:appoint", f"bob \u00e4 {number}", "*", "because")


async def test_the_change_log_is_a_chain_in_the_order_of_writing(contract: Contract) -> None:
    written = [await contract.changes.append(act(number)) for number in range(5)]
    assert written[0].previous == FIRST_PREVIOUS
    assert await contract.changes.lines(0, 99) == written
    assert await contract.changes.lines(2, 2) == written[2:4]
    assert await contract.changes.latest(None, 2) == [written[4], written[3]]
    assert await contract.changes.latest(3, 9) == [written[1], written[0]]
    assert verify_lines(await contract.changes.lines(0, 99)) == 5


async def test_what_many_write_at_once_is_one_chain(contract: Contract) -> None:
    await asyncio.gather(*(contract.changes.append(act(number)) for number in range(24)))
    lines = await contract.changes.lines(0, 99)
    assert verify_lines(lines) == 24
    assert {line.act for line in lines} == {act(number) for number in range(24)}


async def test_steps_of_a_transaction_are_kept_together_or_not_at_all(contract: Contract) -> None:
    with pytest.raises(RuntimeError):
        async with contract.transactions.transaction():
            await contract.hire(ANN)
            await contract.changes.append(act(1))
            raise RuntimeError
    assert await contract.people.accounts() == []
    assert await contract.changes.lines(0, 9) == []
    async with contract.transactions.transaction():
        await contract.hire(ANN)
        await contract.changes.append(act(1))
    assert len(await contract.people.accounts()) == len(await contract.changes.lines(0, 9)) == 1
