"""Who is told to be whom: passwords, codes, sessions, API keys, and what becomes of who guesses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from aegis_authz.adapters.sql.change_log import SqlChangeLog
from aegis_authz.adapters.sql.database import Database
from aegis_authz.adapters.sql.people import SqlPeople
from aegis_authz.adapters.sql.sign_in import SqlSignIn
from aegis_authz.adapters.system import SystemIds
from aegis_authz.control.people.signing_in import (
    CODE_LIFE,
    LINK_LIFE,
    SESSION_LIFE,
    NotSignedIn,
    PeopleStores,
    SignIn,
    SignInSlowed,
    pause_after,
)
from aegis_authz.core.person import Person, Role, RoleBinding
from aegis_authz.core.sign_in import FAILURES_LEAK, Failures
from aegis_authz.core.units import Epoch, Monotonic, Seconds
from aegis_authz.people.passwords import WeakPassword
from aegis_authz.people.secrets import challenge_of
from aegis_authz.ports.people import Account
from aegis_authz.testing.people import MemoryPeople
from tests.support.people import memory_people, person

PASSWORD = "correct horse battery"
HERE = "192.0.2.7"


class StillClock:
    def __init__(self) -> None:
        self.time = 1000.0

    def now(self) -> Epoch:
        return Epoch(self.time)

    def monotonic(self) -> Monotonic:
        return Monotonic(self.time)


@pytest.fixture
def clock() -> StillClock:
    return StillClock()


@pytest.fixture
def stores() -> PeopleStores:
    return memory_people()


@pytest.fixture
def sign_in(stores: PeopleStores, clock: StillClock) -> SignIn:
    return SignIn(stores, clock, SystemIds())


async def hired(stores: PeopleStores, sign_in: SignIn, who: Person) -> Person:
    """A person who has set a password."""
    await stores.people.add(Account(who, is_disabled=False, created=Epoch(1.0)))
    code, _ = await sign_in.make_code(who.id)
    return await sign_in.set_password(code, who.id, PASSWORD, HERE)


@pytest.fixture
async def ann(stores: PeopleStores, sign_in: SignIn) -> Person:
    return await hired(stores, sign_in, person("ann", "owner"))


async def actions(stores: PeopleStores) -> list[tuple[str, str]]:
    return [(line.act.person, line.act.action) for line in await stores.changes.lines(0, 99)]


async def test_a_password_opens_a_session_until_it_is_over(
    ann: Person, sign_in: SignIn, stores: PeopleStores, clock: StillClock
) -> None:
    opened = await sign_in.by_password("ann", PASSWORD, HERE)
    assert opened.person == ann
    assert await sign_in.by_session(opened.secret) == ann
    assert await stores.sign_in.session(opened.secret) is None, "the secret itself is kept"
    assert await actions(stores) == [("ann", "passwords:set"), ("ann", "sessions:open")]
    clock.time += SESSION_LIFE - 1
    assert await sign_in.by_session(opened.secret) == ann
    clock.time += 1
    assert await sign_in.by_session(opened.secret) is None


@pytest.mark.parametrize(
    ("who", "password"), [("ann", "correct horse"), ("ann", ""), ("bob", PASSWORD), ("", PASSWORD), ("Ann", PASSWORD)]
)
async def test_nobody_else_is_signed_in(ann: Person, sign_in: SignIn, who: str, password: str) -> None:
    with pytest.raises(NotSignedIn):
        await sign_in.by_password(who, password, HERE)


async def test_a_request_in_a_session_reads_no_password(ann: Person, clock: StillClock) -> None:
    class Asked(MemoryPeople):
        hashes = 0

        async def password_hash(self, person_id: str) -> str:
            self.hashes += 1
            return await super().password_hash(person_id)

    kept = Asked(for_tests=True)
    sign_in = SignIn(memory_people(kept), clock, SystemIds())
    await hired(memory_people(kept), sign_in, ann)
    opened = await sign_in.by_password("ann", PASSWORD, HERE)
    key = await sign_in.make_key(ann, "ci", (), Seconds(60.0))
    assert kept.hashes == 1
    assert (await sign_in.by_session(opened.secret), await sign_in.by_key(key.text)) == (ann, ann)
    assert kept.hashes == 1


async def test_who_signs_out_is_out(ann: Person, sign_in: SignIn) -> None:
    first, second = [await sign_in.by_password("ann", PASSWORD, HERE) for _ in range(2)]
    await sign_in.sign_out(first.secret)
    assert await sign_in.by_session(first.secret) is None
    assert await sign_in.by_session(second.secret) == ann


async def test_who_is_disabled_is_nobody_at_once(ann: Person, sign_in: SignIn, stores: PeopleStores) -> None:
    opened = await sign_in.by_password("ann", PASSWORD, HERE)
    key = await sign_in.make_key(ann, "ci", (), Seconds(60.0))
    await stores.people.replace(Account(ann, is_disabled=True, created=Epoch(1.0)))
    assert await sign_in.by_session(opened.secret) is None
    assert await sign_in.by_key(key.text) is None
    with pytest.raises(NotSignedIn):
        await sign_in.by_password("ann", PASSWORD, HERE)
    code, _ = await sign_in.make_code("ann")
    with pytest.raises(NotSignedIn):
        await sign_in.set_password(code, "ann", PASSWORD, HERE)


async def test_roles_are_those_of_now(ann: Person, sign_in: SignIn, stores: PeopleStores) -> None:
    opened = await sign_in.by_password("ann", PASSWORD, HERE)
    viewer = replace(ann, roles=(RoleBinding.parse("viewer@acme"),))
    await stores.people.replace(Account(viewer, is_disabled=False, created=Epoch(1.0)))
    assert await sign_in.by_session(opened.secret) == viewer


async def test_a_new_password_ends_the_sessions_of_the_old(ann: Person, sign_in: SignIn) -> None:
    opened = await sign_in.by_password("ann", PASSWORD, HERE)
    code, _ = await sign_in.make_code("ann")
    await sign_in.set_password(code, "ann", "another long password", HERE)
    assert await sign_in.by_session(opened.secret) is None
    with pytest.raises(NotSignedIn):
        await sign_in.by_password("ann", PASSWORD, HERE)


async def test_a_code_is_good_once_in_time_and_for_its_person(
    ann: Person, sign_in: SignIn, stores: PeopleStores, clock: StillClock
) -> None:
    await stores.people.add(Account(person("bob", "owner"), is_disabled=False, created=Epoch(1.0)))
    code, expires = await sign_in.make_code("ann")
    assert expires == clock.time + CODE_LIFE
    with pytest.raises(NotSignedIn):
        await sign_in.set_password(code, "bob", PASSWORD, HERE)
    with pytest.raises(NotSignedIn):  # it was shown, and is spent
        await sign_in.set_password(code, "ann", PASSWORD, HERE)
    late, _ = await sign_in.make_code("ann")
    clock.time += CODE_LIFE
    with pytest.raises(NotSignedIn):
        await sign_in.set_password(late, "ann", PASSWORD, HERE)


async def test_a_command_that_is_let_in_spends_no_code_for_a_password(ann: Person, sign_in: SignIn) -> None:
    code, _ = await sign_in.make_code("ann")
    opened = await sign_in.by_password("ann", PASSWORD, HERE)
    await sign_in.make_login_code(ann, opened.secret, challenge_of("v" * 43))
    assert await sign_in.set_password(code, "ann", "another long password", HERE) == ann


async def test_a_weak_password_spends_no_code(ann: Person, sign_in: SignIn) -> None:
    code, _ = await sign_in.make_code("ann")
    with pytest.raises(WeakPassword):
        await sign_in.set_password(code, "ann", "short", HERE)
    assert await sign_in.set_password(code, "ann", PASSWORD, HERE) == ann


async def test_the_first_owner_is_made_by_the_code_of_the_first_start(sign_in: SignIn, stores: PeopleStores) -> None:
    code, _ = await sign_in.make_code("")
    owner = await sign_in.set_password(code, "ann", PASSWORD, HERE)
    assert [binding.role for binding in owner.roles] == [Role.OWNER]
    assert await actions(stores) == [("ann", "people:appoint"), ("ann", "passwords:set")]
    with pytest.raises(NotSignedIn):
        await sign_in.set_password(code, "eve", PASSWORD, HERE)


@pytest.mark.parametrize("name", ["", "Ann", "bootstrap-owner", "control"])
async def test_the_first_owner_needs_a_name_of_their_own(sign_in: SignIn, stores: PeopleStores, name: str) -> None:
    code, _ = await sign_in.make_code("")
    with pytest.raises(NotSignedIn):
        await sign_in.set_password(code, name, PASSWORD, HERE)
    assert await stores.people.accounts() == []
    assert (await sign_in.set_password(code, "ann", PASSWORD, HERE)).id == "ann", "no name of anybody spends the code"


async def test_there_is_one_first_owner(ann: Person, sign_in: SignIn, stores: PeopleStores) -> None:
    code, _ = await sign_in.make_code("")
    for name in ("eve", "ann", ""):
        with pytest.raises(NotSignedIn):
            await sign_in.set_password(code, name, PASSWORD, HERE)
    assert [account.person.id for account in await stores.people.accounts()] == ["ann"]


async def test_a_key_is_its_person_with_fewer_roles_at_most(sign_in: SignIn, stores: PeopleStores) -> None:
    approver = await hired(stores, sign_in, person("ann", "approver@acme", "viewer@globex", groups=("finance",)))
    wide = (RoleBinding.parse("approver@acme/emea"), RoleBinding.parse("owner"), RoleBinding.parse("approver@globex"))
    key = await sign_in.make_key(approver, "ci", wide, Seconds(60.0))
    bearer = await sign_in.by_key(key.text)
    assert bearer == replace(approver, roles=wide[:1])
    await stores.people.replace(Account(replace(approver, roles=()), is_disabled=False, created=Epoch(1.0)))
    bearer = await sign_in.by_key(key.text)
    assert bearer is not None
    assert bearer.roles == ()


async def test_an_owners_key_may_be_a_viewers(ann: Person, sign_in: SignIn) -> None:
    key = await sign_in.make_key(ann, "ci", (RoleBinding.parse("viewer@acme"),), Seconds(60.0))
    bearer = await sign_in.by_key(key.text)
    assert bearer is not None
    assert [str(binding) for binding in bearer.roles] == ["viewer@acme"]


async def test_a_key_that_is_over_revoked_or_altered_is_nobodys(
    ann: Person, sign_in: SignIn, clock: StillClock
) -> None:
    key = await sign_in.make_key(ann, "ci", (), Seconds(60.0))
    assert await sign_in.by_key(key.text) == ann
    for text in ("", key.text[:-1] + ("0" if key.text[-1] != "0" else "1"), key.key.hash, key.text.upper()):
        assert await sign_in.by_key(text) is None
    clock.time += 60
    assert await sign_in.by_key(key.text) is None
    clock.time -= 1
    assert await sign_in.revoke_key(ann, key.key.id, of_anybody=False)
    assert await sign_in.by_key(key.text) is None
    assert not await sign_in.revoke_key(ann, key.key.id, of_anybody=False)


async def test_anothers_key_is_not_ended_but_by_who_may(ann: Person, sign_in: SignIn) -> None:
    key = await sign_in.make_key(ann, "ci", (), Seconds(60.0))
    eve = person("eve", "viewer")
    assert not await sign_in.revoke_key(eve, key.key.id, of_anybody=False)
    assert await sign_in.revoke_key(eve, key.key.id, of_anybody=True)


async def test_who_guesses_is_slowed_and_on_record(
    ann: Person, sign_in: SignIn, stores: PeopleStores, clock: StillClock, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            with pytest.raises(NotSignedIn):
                await sign_in.by_password("ann", "wrong-s3cret", HERE)
    with pytest.raises(SignInSlowed, match="1 seconds"):
        await sign_in.by_password("ann", PASSWORD, "198.51.100.1")  # the right password, from elsewhere, too
    assert (await actions(stores))[-5:] == [("ann", "sessions:refuse")] * 5
    assert "signing in failed for 'ann' from 192.0.2.7" in caplog.text
    assert "s3cret" not in caplog.text
    clock.time += 1
    assert (await sign_in.by_password("ann", PASSWORD, "198.51.100.1")).person == ann


async def test_who_guesses_from_elsewhere_keeps_nobody_from_where_they_have_signed_in(
    ann: Person, sign_in: SignIn, clock: StillClock
) -> None:
    await sign_in.by_password("ann", PASSWORD, HERE)
    for number in range(5):
        with pytest.raises(NotSignedIn):
            await sign_in.by_password("ann", "wrong", f"198.51.100.{number}")
    with pytest.raises(SignInSlowed):
        await sign_in.by_password("ann", PASSWORD, "198.51.100.9")
    assert (await sign_in.by_password("ann", PASSWORD, HERE)).person == ann
    with pytest.raises(SignInSlowed):  # that she is in is no leave for who guesses
        await sign_in.by_password("ann", PASSWORD, "198.51.100.9")
    for _ in range(5):
        with pytest.raises(NotSignedIn):
            await sign_in.by_password("ann", "wrong", HERE)
    with pytest.raises(SignInSlowed):
        await sign_in.by_password("ann", PASSWORD, HERE)


async def test_a_source_is_slowed_whoever_it_tries(ann: Person, sign_in: SignIn) -> None:
    for number in range(5):
        with pytest.raises(NotSignedIn):
            await sign_in.by_password(f"guess{number}", PASSWORD, HERE)
    with pytest.raises(SignInSlowed):
        await sign_in.by_password("ann", PASSWORD, HERE)
    with pytest.raises(SignInSlowed):
        await sign_in.set_password("code", "ann", PASSWORD, HERE)
    assert (await sign_in.by_password("ann", PASSWORD, "198.51.100.1")).person == ann


async def test_what_is_guessed_at_once_is_counted_as_what_is_guessed_in_turn(ann: Person, sign_in: SignIn) -> None:
    guesses = [sign_in.by_password("ann", f"wrong {number}", HERE) for number in range(24)]
    answers = await asyncio.gather(*guesses, return_exceptions=True)
    assert sum(isinstance(answer, NotSignedIn) for answer in answers) <= 6
    assert sum(isinstance(answer, SignInSlowed) for answer in answers) >= 18


async def test_a_flood_is_sent_away_before_it_takes_memory(ann: Person, sign_in: SignIn) -> None:
    flood = [sign_in.by_password("ann", PASSWORD, f"192.0.2.{number}") for number in range(40)]
    answers = await asyncio.gather(*flood, return_exceptions=True)
    assert sum(isinstance(answer, SignInSlowed) for answer in answers) == 8


async def test_who_must_wait_takes_nobodys_place(ann: Person, sign_in: SignIn) -> None:
    for number in range(5):
        with pytest.raises(NotSignedIn):
            await sign_in.by_password(f"guess{number}", PASSWORD, HERE)
    flood = [sign_in.by_password("ann", PASSWORD, HERE) for _ in range(100)]
    *_, own = await asyncio.gather(*flood, sign_in.by_password("ann", PASSWORD, "198.51.100.1"), return_exceptions=True)
    assert not isinstance(own, BaseException) and own.person == ann


async def test_a_host_with_a_network_of_its_own_is_one_source(ann: Person, sign_in: SignIn) -> None:
    for number in range(5):
        with pytest.raises(NotSignedIn):
            await sign_in.by_password(f"guess{number}", PASSWORD, f"2001:db8:1:2::{number}")
    with pytest.raises(SignInSlowed):
        await sign_in.by_password("ann", PASSWORD, "2001:db8:1:2:ffff::1")
    assert (await sign_in.by_password("ann", PASSWORD, "2001:db8:1:3::1")).person == ann


def test_an_office_that_misspells_once_in_a_while_waits_for_nobody() -> None:
    failures = Failures(0.0, Epoch(0.0))
    for number in range(1000):
        failures = failures.one_more(Epoch(number * FAILURES_LEAK))
        assert pause_after(failures, failures.last) == 0


def test_whoever_guesses_for_a_day_has_few_tries() -> None:
    failures, tries = Failures(0.0, Epoch(0.0)), 0
    while failures.last < 86_400.0:
        failures = failures.one_more(Epoch(failures.last + pause_after(failures, failures.last)))
        tries += 1
    assert 250 < tries < 320


def test_the_pause_doubles_up_to_a_quarter_of_an_hour() -> None:
    pauses = [pause_after(Failures(count, Epoch(100.0)), Epoch(100.0)) for count in (0, 4, 5, 6, 9, 15, 4000)]
    assert pauses == [0, 0, 1, 2, 16, 900, 900]
    assert pause_after(Failures(6, Epoch(100.0)), Epoch(101.5)) == 0.5


@pytest.fixture
async def on_disk(tmp_path: Path) -> AsyncIterator[PeopleStores]:
    database = Database(f"sqlite:///{tmp_path / 'control.db'}")
    await database.migrate()
    yield PeopleStores(SqlPeople(database), SqlSignIn(database), SqlChangeLog(database), database)
    await database.close()


async def test_of_many_who_claim_to_be_first_one_is(on_disk: PeopleStores, clock: StillClock) -> None:
    sign_in = SignIn(on_disk, clock, SystemIds())
    code, _ = await sign_in.make_code("")
    claims = [sign_in.set_password(code, f"p{number}", PASSWORD, f"192.0.2.{number}") for number in range(8)]
    answers = await asyncio.gather(*claims, return_exceptions=True)
    assert sum(isinstance(answer, Person) for answer in answers) == 1
    assert len(await on_disk.people.accounts()) == 1


async def test_a_link_is_good_once_for_its_person_and_for_ten_minutes(
    sign_in: SignIn, ann: Person, clock: StillClock
) -> None:
    code, expires = await sign_in.make_link_code("ann", is_first=False)
    assert expires == clock.time + LINK_LIFE
    with pytest.raises(NotSignedIn):
        await sign_in.by_link("bob", code, HERE)
    opened = await sign_in.by_link("ann", code, HERE)
    assert (opened.person.id, opened.expires) == ("ann", clock.time + SESSION_LIFE)
    with pytest.raises(NotSignedIn):
        await sign_in.by_link("ann", code, HERE)
    late, _ = await sign_in.make_link_code("ann", is_first=False)
    clock.time += LINK_LIFE
    with pytest.raises(NotSignedIn):
        await sign_in.by_link("ann", late, HERE)


async def test_of_two_who_use_a_link_at_once_one_is_let_in(sign_in: SignIn, ann: Person) -> None:
    code, _ = await sign_in.make_link_code("ann", is_first=False)
    results = await asyncio.gather(*(sign_in.by_link("ann", code, HERE) for _ in range(5)), return_exceptions=True)
    assert sum(not isinstance(result, NotSignedIn) for result in results) == 1


async def test_a_link_of_a_disabled_person_lets_nobody_in(sign_in: SignIn, ann: Person, stores: PeopleStores) -> None:
    code, _ = await sign_in.make_link_code("ann", is_first=False)
    await stores.people.replace(replace(await stores.people.account("ann"), is_disabled=True))
    with pytest.raises(NotSignedIn):
        await sign_in.by_link("ann", code, HERE)


async def test_a_code_of_one_kind_is_worth_nothing_as_another(sign_in: SignIn, ann: Person) -> None:
    link, _ = await sign_in.make_link_code("ann", is_first=False)
    challenge = challenge_of("v" * 43)
    opened = await sign_in.open_session(ann, HERE)
    login = await sign_in.make_login_code(ann, opened.secret, challenge)
    password, _ = await sign_in.make_code("ann")  # ends those before: made last, and the others anew
    link, _ = await sign_in.make_link_code("ann", is_first=False)
    login = await sign_in.make_login_code(ann, opened.secret, challenge)
    for text in (link, login, f"link {link} ann", f"link {len(link)}:{link}3:ann", f"login {login} {challenge}"):
        with pytest.raises(NotSignedIn):
            await sign_in.set_password(text, "ann", PASSWORD, f"192.0.{len(text)}.1")
    for text in (password, login):
        with pytest.raises(NotSignedIn):
            await sign_in.by_link("ann", text, HERE)
    assert (await sign_in.by_link("ann", link, HERE)).person.id == "ann"
