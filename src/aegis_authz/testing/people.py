"""People, how they sign in, and the change log, in memory: a twin of the control plane's database."""

from __future__ import annotations

import copy
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from aegis_authz.core.change_line import FIRST_PREVIOUS, Act, ChangeLine
from aegis_authz.core.sign_in import FAILURES_LIFE, PLACE_LIFE, ApiKey, CertificateName, Failures, Session
from aegis_authz.core.units import Epoch
from aegis_authz.ports.people import Account, PersonConflict, PersonUnknown
from aegis_authz.testing.warning import warn_outside_tests


@dataclass
class _Kept:
    accounts: dict[str, Account] = field(default_factory=dict)
    addresses: dict[tuple[str, str], str] = field(default_factory=dict)
    certificates: dict[CertificateName, str] = field(default_factory=dict)
    sponsors: dict[str, frozenset[str]] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    keys: dict[str, ApiKey] = field(default_factory=dict)
    codes: dict[str, tuple[str, Epoch]] = field(default_factory=dict)
    failures: dict[str, Failures] = field(default_factory=dict)
    places: dict[tuple[str, str], Epoch] = field(default_factory=dict)
    lines: list[ChangeLine] = field(default_factory=list)


class MemoryPeople:
    """`ports.people`, `ports.sign_in`, `ports.change_log` and `Transactions` in one, forgotten at the end."""

    def __init__(self, *, for_tests: bool = False) -> None:
        warn_outside_tests(self, for_tests)
        self._kept = _Kept()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[object]:
        """Undo all when the block raises."""
        before = copy.deepcopy(self._kept)
        try:
            yield None
        except BaseException:
            self._kept = before
            raise

    async def add(self, account: Account) -> None:
        """Keep a new one."""
        if account.person.id in self._kept.accounts:
            raise PersonConflict(f"there is a {account.person.id} already")
        self._kept.accounts[account.person.id] = account

    async def replace(self, account: Account) -> None:
        """Keep this instead of the one with its id."""
        before = await self.account(account.person.id)
        self._kept.accounts[account.person.id] = replace(account, created=before.created)

    async def account(self, person_id: str) -> Account:
        """The account of that id."""
        if person_id not in self._kept.accounts:
            raise PersonUnknown(f"there is no {person_id}")
        return self._kept.accounts[person_id]

    async def accounts(self) -> list[Account]:
        """All of them, in order of id."""
        return [account for _, account in sorted(self._kept.accounts.items())]

    async def link(self, person_id: str, channel: str, address: str) -> None:
        """Note where the person is in a channel."""
        await self.account(person_id)
        places = self._kept.addresses
        if address and any(
            (name, place) == (channel, address) and holder != person_id for (holder, name), place in places.items()
        ):
            raise PersonConflict(f"that address in {channel} is another person's")
        places.pop((person_id, channel), None)
        if address:
            places[person_id, channel] = address

    async def at_address(self, channel: str, address: str) -> Account:
        """Whose address it is."""
        for person_id, place in (await self.addresses(channel)).items():
            if place == address:
                return await self.account(person_id)
        raise PersonUnknown("there is nobody of that name")

    async def addresses(self, channel: str) -> dict[str, str]:
        """The address of each person who has one in the channel."""
        return {holder: place for (holder, name), place in self._kept.addresses.items() if name == channel}

    async def add_sponsor(self, person_id: str, sponsor: str) -> None:
        """Note that this one answers for the person, too."""
        await self.account(person_id)
        self._kept.sponsors[person_id] = self._kept.sponsors.get(person_id, frozenset()) | {sponsor}

    async def forget_sponsors(self, person_id: str) -> None:
        """Note that nobody else answers for the person any more."""
        self._kept.sponsors.pop(person_id, None)

    async def sponsors(self) -> dict[str, frozenset[str]]:
        """Who answers for each person for whom somebody else does."""
        return dict(self._kept.sponsors)

    async def set_password(self, person_id: str, password_hash: str) -> None:
        """Keep this instead."""
        await self.account(person_id)
        self._kept.passwords[person_id] = password_hash

    async def password_hash(self, person_id: str) -> str:
        """What was set."""
        await self.account(person_id)
        return self._kept.passwords.get(person_id, "")

    async def open_session(self, session: Session) -> None:
        """Keep a session."""
        await self.account(session.person_id)
        live = {key: entry for key, entry in self._kept.sessions.items() if entry.expires > session.created}
        self._kept.sessions = {**live, session.hash: session}

    async def session(self, session_hash: str) -> Session | None:
        """The session of that hash."""
        return self._kept.sessions.get(session_hash)

    async def end_session(self, session_hash: str) -> None:
        """Forget it, if there is one."""
        self._kept.sessions.pop(session_hash, None)

    async def end_sessions(self, person_id: str) -> None:
        """Forget all of a person."""
        rest = {key: entry for key, entry in self._kept.sessions.items() if entry.person_id != person_id}
        self._kept.sessions = rest

    async def add_key(self, key: ApiKey) -> None:
        """Keep a key."""
        await self.account(key.person_id)
        self._kept.keys[key.id] = key

    async def key(self, key_id: str) -> ApiKey | None:
        """The key of that id."""
        return self._kept.keys.get(key_id)

    async def keys(self) -> list[ApiKey]:
        """All of them, the newest first."""
        return sorted(self._kept.keys.values(), key=lambda key: (-key.created, key.id))

    async def revoke_key(self, key_id: str) -> bool:
        """End it."""
        key = self._kept.keys.get(key_id)
        if key is None or key.is_revoked:
            return False
        self._kept.keys[key_id] = replace(key, is_revoked=True)
        return True

    async def put_code(self, code_hash: str, person_id: str, expires: Epoch) -> None:
        """Keep a code, instead of those of before."""
        rest = {key: entry for key, entry in self._kept.codes.items() if entry[0] != person_id}
        self._kept.codes = {**rest, code_hash: (person_id, expires)}

    async def add_code(self, code_hash: str, person_id: str, now: Epoch, expires: Epoch) -> None:
        """Keep a code beside those of before."""
        rest = {key: (owner, end) for key, (owner, end) in self._kept.codes.items() if owner != person_id or end > now}
        self._kept.codes = {**rest, code_hash: (person_id, expires)}

    async def end_codes(self, person_id: str) -> None:
        """Forget all codes of a person."""
        self._kept.codes = {key: entry for key, entry in self._kept.codes.items() if entry[0] != person_id}

    async def take_code(self, code_hash: str, now: Epoch) -> str | None:
        """Whose code it is, which it is no more."""
        person_id, expires = self._kept.codes.pop(code_hash, ("", Epoch(0.0)))
        return person_id if expires > now else None

    async def add_certificate(self, person_id: str, name: CertificateName) -> None:
        """Note that certificates of this name are the person's."""
        await self.account(person_id)
        if self._kept.certificates.setdefault(name, person_id) != person_id:
            raise PersonConflict(f"that {name.kind.value} is another person's")

    async def remove_certificate(self, person_id: str, name: CertificateName) -> bool:
        """Forget that."""
        is_own = self._kept.certificates.get(name) == person_id
        if is_own:
            del self._kept.certificates[name]
        return is_own

    async def certificates(self, person_id: str) -> list[CertificateName]:
        """The names of the person's certificates, in order."""
        own = [name for name, holder in self._kept.certificates.items() if holder == person_id]
        return sorted(own, key=lambda name: (name.kind.value, name.value))

    async def certificate_holders(self, names: Collection[CertificateName]) -> frozenset[str]:
        """Whose certificates of any of these names are."""
        return frozenset(self._kept.certificates[name] for name in names if name in self._kept.certificates)

    async def failures(self, name: str) -> Failures:
        """How often in a row signing in has failed for that name."""
        return self._kept.failures.get(name, Failures(0.0, Epoch(0.0)))

    async def note_failure(self, name: str, now: Epoch) -> None:
        """Count one more."""
        young = {key: entry for key, entry in self._kept.failures.items() if entry.last >= now - FAILURES_LIFE}
        self._kept.failures = {**young, name: young.get(name, Failures(0.0, now)).one_more(now)}

    async def note_place(self, person_id: str, network: str, now: Epoch) -> None:
        """Keep that the person has signed in from there."""
        await self.account(person_id)
        young = {key: last for key, last in self._kept.places.items() if key[0] != person_id or last > now - PLACE_LIFE}
        self._kept.places = {**young, (person_id, network): now}

    async def has_place(self, person_id: str, network: str, now: Epoch) -> bool:
        """Whether the person has signed in from there within PLACE_LIFE."""
        last = self._kept.places.get((person_id, network))
        return last is not None and last > now - PLACE_LIFE

    async def forget_failures(self, name: str) -> None:
        """Begin from none."""
        self._kept.failures.pop(name, None)

    async def append(self, act: Act) -> ChangeLine:
        """Write an act after all that are there."""
        lines = self._kept.lines
        line = ChangeLine.after(len(lines), lines[-1].hash if lines else FIRST_PREVIOUS, act)
        lines.append(line)
        return line

    async def lines(self, after: int, limit: int) -> list[ChangeLine]:
        """At most `limit` lines whose number is above `after`, in their order."""
        return self._kept.lines[max(after, 0) :][:limit]

    async def latest(self, before: int | None, limit: int) -> list[ChangeLine]:
        """At most `limit` lines whose number is below `before`, the newest first."""
        return [line for line in reversed(self._kept.lines) if before is None or line.number < before][:limit]
