"""Signing in: passwords, sessions, API keys and one-time codes; who guesses is slowed, and that is on record."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aegis_authz.control.throttle import Throttle
from aegis_authz.core.address import network_of
from aegis_authz.core.change_line import Act
from aegis_authz.core.person import PERSON_ID, WHOLE_MESH, Person, Role, RoleBinding
from aegis_authz.core.sign_in import ApiKey, CertificateName, Failures, Session
from aegis_authz.core.units import Epoch, Seconds
from aegis_authz.people.passwords import hash_password, is_password, require_strength
from aegis_authz.people.permissions import RESERVED_IDS, narrowed
from aegis_authz.people.secrets import (
    challenge_of,
    digest,
    is_secret_of,
    key_text,
    link_digest,
    login_digest,
    split_key,
)
from aegis_authz.ports.change_log import ChangeLog
from aegis_authz.ports.data_plane import Clock, Ids
from aegis_authz.ports.database import Transactions
from aegis_authz.ports.people import Account, PeopleStore, PersonUnknown
from aegis_authz.ports.sign_in import SignInStore

_log = logging.getLogger(__name__)

SESSION_LIFE = Seconds(12 * 3600.0)
CODE_LIFE = Seconds(24 * 3600.0)
LOGIN_CODE_LIFE = Seconds(120.0)
LINK_LIFE = Seconds(600.0)
_FREE_FAILURES = 5
_LONGEST_PAUSE = 900.0
_MOST_AT_ONCE = 2
"""How many passwords are looked at at once: each takes 64 MiB."""
_MOST_WAITING = 32
_STRAY_RATE, _STRAY_BURST = 0.2, 10
"""How often links that are worth nothing are noted of a network: a second, and at once."""


class NotSignedIn(Exception):
    """Who asks did not prove who they are. It is not said what was wrong."""


class SignInSlowed(Exception):
    """Too many failures in a row: the next is looked at after `wait` seconds."""

    def __init__(self, wait: float) -> None:
        super().__init__(f"too many failures: try again in {wait:.0f} seconds")
        self.wait = wait


@dataclass(frozen=True, slots=True)
class PeopleStores:
    """Where people, what they prove themselves by, and what they did are kept: one database."""

    people: PeopleStore
    sign_in: SignInStore
    changes: ChangeLog
    transactions: Transactions


@dataclass(frozen=True, slots=True)
class OpenedSession:
    """A session that was just opened. The secret is told once."""

    person: Person
    secret: str
    expires: Epoch


class SignIn:
    """Tells people by what they show. Every method may raise DatabaseFault, and then nobody is told to be anybody."""

    def __init__(self, stores: PeopleStores, clock: Clock, ids: Ids) -> None:
        self._stores = stores
        self._clock = clock
        self._ids = ids
        self._looks = asyncio.Semaphore(_MOST_AT_ONCE)
        self._waiting = 0
        self._strays = Throttle(_STRAY_RATE, _STRAY_BURST)

    async def by_password(self, person_id: str, password: str, source: str) -> OpenedSession:
        """Open a session. `source` is the address it is asked from. Raises NotSignedIn, SignInSlowed."""
        await self._require_pause(await self._names(person_id, source))  # who must wait takes no other's place
        async with self._look():  # whatever is tried at once is counted before the next is looked at
            names = await self._names(person_id, source)
            await self._require_pause(names)
            account, kept = await self._account(person_id)
            is_right = await asyncio.to_thread(is_password, password, kept)
            if account is None or account.is_disabled or not is_right:
                await self._note_failure(names, account, source)
                raise NotSignedIn
        # the count of the source goes on: one own account is no leave to try those of others
        await self._stores.sign_in.forget_failures(names[0])
        return await self.open_session(account.person, source)

    async def open_session(self, person: Person, source: str) -> OpenedSession:
        """A session of a person who has just proved who they are."""
        return await self._open(person, source, Epoch(self._clock.now() + SESSION_LIFE))

    async def _open(self, person: Person, source: str, until: Epoch) -> OpenedSession:
        now, secret = self._clock.now(), self._secret()
        session = Session(digest(secret), person.id, now, until)
        async with self._stores.transactions.transaction():
            await self._stores.sign_in.open_session(session)
            await self._stores.sign_in.note_place(person.id, network_of(source), now)
            await self._write(person.id, "sessions:open", person.id, f"from {source}")
        return OpenedSession(person, secret, session.expires)

    async def by_session(self, secret: str) -> Person | None:
        """Whose live session it is."""
        session = await self._stores.sign_in.session(digest(secret))
        if session is None or session.expires <= self._clock.now():
            return None
        return await self._live(session.person_id)

    async def by_key(self, text: str) -> Person | None:
        """Whose live API key it is: that person, with what the key and the person may both."""
        parts = split_key(text)
        key = None if parts is None else await self._stores.sign_in.key(parts[0])
        if parts is None or key is None or not is_secret_of(parts[1], key.hash):
            return None
        if key.is_revoked or key.expires <= self._clock.now():
            return None
        person = await self._live(key.person_id)
        return None if person is None else narrowed(person, key.roles)

    async def by_certificate(self, names: Collection[CertificateName]) -> tuple[str, Person | None]:
        """Whose a client certificate of these names is, "" for nobody's, and that person as they are now, if they live.

        Raises NotSignedIn for one of several people.
        """
        holders = await self._stores.sign_in.certificate_holders(names)
        if not holders:
            return "", None
        if len(holders) > 1:
            _log.warning("a client certificate is of several people: %s", ", ".join(sorted(holders)))
            raise NotSignedIn
        (holder,) = holders
        return holder, await self._live(holder)

    async def make_login_code(self, person: Person, session: str, challenge: str) -> str:
        """A code by which a command signs in as this person, once, by the verifier of the challenge. Told once.

        It names the session, by its hash, in which the person let the command in.
        """
        code, now = f"{self._secret()}.{digest(session)}", self._clock.now()
        expires = Epoch(now + LOGIN_CODE_LIFE)
        async with self._stores.transactions.transaction():
            # beside a code for a password, which an owner gave and which is good for a day
            await self._stores.sign_in.add_code(login_digest(code, challenge), person.id, now, expires)
            await self._write(person.id, "sessions:command", person.id, "a command was let in, on a page")
        return code

    async def by_login_code(self, code: str, verifier: str, source: str) -> OpenedSession:
        """Open a session for such a code, which ends with the one in which it was made. Raises NotSignedIn,
        SignInSlowed.
        """
        names = (f"source {network_of(source)}",)
        await self._require_pause(names)
        code_digest = login_digest(code, challenge_of(verifier))
        holder = await self._stores.sign_in.take_code(code_digest, self._clock.now())
        session = await self._stores.sign_in.session(code.rpartition(".")[2]) if holder else None
        is_live = session is not None and session.person_id == holder and session.expires > self._clock.now()
        person = await self._live(holder) if holder and is_live else None
        if person is None or session is None:
            await self._note_failure(names, None, source)
            raise NotSignedIn
        return await self._open(person, source, session.expires)

    async def make_link_code(self, person_id: str, *, is_first: bool) -> tuple[str, Epoch]:
        """The code of a link by which that person signs in, once; `is_first` makes them the first owner by it, while
        there is nobody yet. Told once.
        """
        now, code = self._clock.now(), self._secret()
        expires = Epoch(now + LINK_LIFE)
        await self._stores.sign_in.add_code(link_digest(code, person_id), "" if is_first else person_id, now, expires)
        return code, expires

    async def by_link(self, person_id: str, code: str, source: str) -> OpenedSession:
        """Open a session for the code of such a link. Raises NotSignedIn, SignInSlowed.

        A code that is right is never slowed: nobody can guess 256 bits, and who tries must not keep others out.
        """
        async with self._stores.transactions.transaction():
            code_digest = link_digest(code, person_id)
            holder = (
                await self._stores.sign_in.take_code(code_digest, self._clock.now()) if _is_name(person_id) else None
            )
            if holder == "" and not await self._stores.people.accounts():
                await self._make_first_owner(person_id, "the first owner, by a link of the first start")
                holder = person_id
            person = await self._live(person_id) if holder == person_id else None
        if person is None:
            network = network_of(source)
            if not self._strays.admits(network, self._clock.monotonic()):
                raise SignInSlowed(1 / _STRAY_RATE)
            _log.warning("signing in by a link failed from %s", network)
            raise NotSignedIn
        return await self.open_session(person, source)

    async def sign_out(self, secret: str) -> None:
        """End a session."""
        await self._stores.sign_in.end_session(digest(secret))

    async def make_key(self, person: Person, label: str, roles: tuple[RoleBinding, ...], life: Seconds) -> MadeKey:
        """An API key of a person, with these of their roles, or all for none; told once."""
        now, key_id, secret = self._clock.now(), self._ids.token()[:16], self._secret()
        kept = narrowed(person, roles).roles if roles else person.roles
        key = ApiKey(key_id, digest(secret), person.id, label, kept, now, Epoch(now + life), is_revoked=False)
        async with self._stores.transactions.transaction():
            await self._stores.sign_in.add_key(key)
            await self._write(person.id, "keys:make", key_id, label)
        return MadeKey(key, key_text(key_id, secret))

    async def keys(self) -> list[ApiKey]:
        """All API keys, the newest first."""
        return await self._stores.sign_in.keys()

    async def revoke_key(self, person: Person, key_id: str, *, of_anybody: bool) -> bool:
        """End a key of this person's, or `of_anybody`; returns whether that was still to be done."""
        async with self._stores.transactions.transaction():
            key = await self._stores.sign_in.key(key_id)
            if key is None or not (of_anybody or key.person_id == person.id):
                return False
            is_done = await self._stores.sign_in.revoke_key(key_id)
            if is_done:
                await self._write(person.id, "keys:revoke", key_id, key.label)
            return is_done

    async def make_code(self, person_id: str) -> tuple[str, Epoch]:
        """A code by which that person sets a password, once; "" makes the first owner. Told once."""
        code, expires = self._secret(), Epoch(self._clock.now() + CODE_LIFE)
        await self._stores.sign_in.put_code(digest(code), person_id, expires)
        return code, expires

    async def set_password(self, code: str, person_id: str, password: str, source: str) -> Person:
        """Set a password for a code. Raises NotSignedIn, SignInSlowed, WeakPassword.

        A code of the first owner makes the person of that id, while there is nobody yet.
        """
        require_strength(password, person_id)
        names = (f"source {network_of(source)}",)
        await self._require_pause(names)
        async with self._look():
            await self._require_pause(names)
            password_hash = await asyncio.to_thread(hash_password, password)
        async with self._stores.transactions.transaction():
            # a name that is nobody's, such as one in capitals, does not spend the code of the first owner
            is_name = _is_name(person_id)
            holder = await self._stores.sign_in.take_code(digest(code), self._clock.now()) if is_name else None
            if holder == "" and not await self._stores.people.accounts():
                await self._make_first_owner(person_id, "the first owner, by the code of the first start")
                holder = person_id
            account = None if holder != person_id else await self._live_account(person_id)
            if account is not None:
                await self._stores.sign_in.set_password(person_id, password_hash)
                await self._stores.sign_in.end_sessions(person_id)
                await self._write(person_id, "passwords:set", person_id, f"from {source}")
                return account.person
        await self._note_failure(names, None, source)
        raise NotSignedIn

    async def _make_first_owner(self, person_id: str, reason: str) -> None:
        person = Person(person_id, person_id, frozenset(), (RoleBinding(Role.OWNER, WHOLE_MESH),))
        await self._stores.people.add(Account(person, is_disabled=False, created=self._clock.now()))
        await self._write(person_id, "people:appoint", person_id, reason)

    @asynccontextmanager
    async def _look(self) -> AsyncIterator[None]:
        if self._waiting >= _MOST_WAITING:
            raise SignInSlowed(1.0)
        self._waiting += 1
        try:
            async with self._looks:
                yield
        finally:
            self._waiting -= 1

    async def _account(self, person_id: str) -> tuple[Account | None, str]:
        try:
            account = await self._stores.people.account(person_id)
            return account, await self._stores.sign_in.password_hash(person_id)
        except PersonUnknown:
            return None, ""

    async def _live_account(self, person_id: str) -> Account | None:
        try:
            account = await self._stores.people.account(person_id)
        except PersonUnknown:
            return None
        return None if account.is_disabled else account

    async def _live(self, person_id: str) -> Person | None:
        account = await self._live_account(person_id)
        return None if account is None else account.person

    async def _names(self, person_id: str, source: str) -> tuple[str, str]:
        """Under which names a try is counted: the person's and the source's.

        Where a person has signed in before, failures elsewhere do not count: whoever guesses a name's password from
        anywhere would else lock out its owner, for good.
        """
        name, network = person_id if PERSON_ID.match(person_id) else "", network_of(source)
        is_own = await self._stores.sign_in.has_place(name, network, self._clock.now())
        return f"person {name} at {network}" if is_own else f"person {name}", f"source {network}"

    async def _require_pause(self, names: tuple[str, ...]) -> None:
        now = self._clock.now()
        waits = [pause_after(await self._stores.sign_in.failures(name), now) for name in names]
        if max(waits) > 0:
            raise SignInSlowed(max(waits))

    async def _note_failure(self, names: tuple[str, ...], account: Account | None, source: str) -> None:
        now = self._clock.now()
        async with self._stores.transactions.transaction():
            for name in names:
                await self._stores.sign_in.note_failure(name, now)
            if account is not None:
                await self._write(account.person.id, "sessions:refuse", account.person.id, f"from {source}")
        _log.warning("signing in failed for %r from %s", "nobody" if account is None else account.person.id, source)

    async def _write(self, person_id: str, action: str, subject: str, reason: str) -> None:
        await self._stores.changes.append(Act(self._clock.now(), person_id, action, subject, "*", reason))

    def _secret(self) -> str:
        return self._ids.token() + self._ids.token()


@dataclass(frozen=True, slots=True)
class MadeKey:
    """An API key that was just made, and its text, which is told once."""

    key: ApiKey
    text: str


def _is_name(person_id: str) -> bool:
    """Whether somebody may be called so who signs in."""
    return PERSON_ID.match(person_id) is not None and person_id not in RESERVED_IDS


def pause_after(failures: Failures, now: Epoch) -> float:
    """Seconds until the next try is looked at: none for the first five, then 1, 2, 4 ... up to 900 after the last."""
    if failures.count <= _FREE_FAILURES - 1:  # a little less than five are five: they leak
        return 0.0
    pause = min(_LONGEST_PAUSE, float(2.0 ** min(failures.count - _FREE_FAILURES, 20.0)))
    return max(0.0, failures.last + pause - now)
