"""Who is a person here, in which groups and roles: changed by those who may, and only within what they have."""

from __future__ import annotations

from dataclasses import replace

from aegis_authz.control.people.signing_in import PeopleStores, SignIn, SignInSlowed
from aegis_authz.control.throttle import Throttle
from aegis_authz.core.change_line import Act
from aegis_authz.core.person import WHOLE_MESH, Person
from aegis_authz.core.sign_in import CertificateKind, CertificateName
from aegis_authz.core.sponsors import answerable
from aegis_authz.core.units import Epoch
from aegis_authz.people.permissions import BOOTSTRAP_OWNER, RESERVED_IDS, Permission, may
from aegis_authz.ports.data_plane import Clock
from aegis_authz.ports.openid import OPENID
from aegis_authz.ports.people import Account, PersonConflict, PersonUnknown

_LINK_RATE, _LINK_BURST = 0.2, 10
"""How often links are made for a caller: a second, and at once."""


class NotAppointed(Exception):
    """Who asks may not appoint that person; the message is fit to show."""


class Appointer:
    """Adds, changes and disables people; each is a line of the change log, in the same transaction.

    Whoever appoints within a tenant sees and touches nobody who has a role beyond it. Every method may raise
    DatabaseFault.
    """

    def __init__(self, stores: PeopleStores, sign_in: SignIn, clock: Clock) -> None:
        self._stores = stores
        self._sign_in = sign_in
        self._clock = clock
        self._links = Throttle(_LINK_RATE, _LINK_BURST)

    async def visible(self, caller: Person, permission: Permission) -> list[Account]:
        """The people whose roles are all where the caller has that permission, in order of id."""
        return [
            account for account in await self._stores.people.accounts() if _covers(caller, permission, account.person)
        ]

    async def account(self, caller: Person, person_id: str) -> Account:
        """One whom the caller may appoint. Raises PersonUnknown, also where the caller may not."""
        account = await self._stores.people.account(person_id)
        if not _covers(caller, Permission.APPOINT_PEOPLE, account.person):
            raise PersonUnknown(f"there is no {person_id}")
        return account

    async def add(self, caller: Person, person: Person, reason: str) -> tuple[str, Epoch]:
        """A new person, and the code by which that person sets a password. Raises NotAppointed, PersonConflict."""
        _require(caller, person)
        if person.id in RESERVED_IDS:
            raise PersonConflict(f"{person.id} stands in records for what is no person")
        async with self._stores.transactions.transaction():
            await self._stores.people.add(Account(person, is_disabled=False, created=self._clock.now()))
            await self._answer_for(caller, person.id)
            await self._write(caller, "people:add", person, reason)
            return await self._sign_in.make_code(person.id)

    async def change(self, caller: Person, person: Person, is_disabled: bool, reason: str) -> Account:
        """Other groups, roles or a new name. Raises PersonUnknown, NotAppointed."""
        async with self._stores.transactions.transaction():
            before = await self.account(caller, person.id)
            _require(caller, person)
            after = replace(before, person=person, is_disabled=is_disabled)
            await self._stores.people.replace(after)
            if is_disabled:
                await self._stores.sign_in.end_codes(person.id)
                await self._stores.sign_in.end_sessions(person.id)
            await self._write(caller, "people:disable" if is_disabled else "people:appoint", person, reason)
            return after

    async def code(self, caller: Person, person_id: str, reason: str) -> tuple[str, Epoch]:
        """Another code for a password, which ends those before. Raises PersonUnknown."""
        async with self._stores.transactions.transaction():
            account = await self.account(caller, person_id)
            await self._answer_for(caller, person_id)
            await self._write(caller, "people:code", account.person, reason)
            return await self._sign_in.make_code(person_id)

    async def sign_in_link(self, caller: Person, person_id: str, reason: str) -> tuple[str, Epoch]:
        """The code of a link by which a person signs in, once. Raises PersonUnknown, NotAppointed.

        While there is nobody yet, whoever has the admin token gets one by which that person becomes the first owner.
        """
        if person_id in RESERVED_IDS:
            raise PersonUnknown(f"{person_id} is no person")
        if not self._links.admits(caller.id, self._clock.monotonic()):
            raise SignInSlowed(1 / _LINK_RATE)
        async with self._stores.transactions.transaction():
            if caller == BOOTSTRAP_OWNER and not await self._stores.people.accounts():
                act = Act(self._clock.now(), caller.id, "people:sign-in-link", person_id, str(WHOLE_MESH), reason)
                await self._stores.changes.append(act)
                return await self._sign_in.make_link_code(person_id, is_first=True)
            account = await self.account(caller, person_id)
            if account.is_disabled:
                raise NotAppointed(f"{person_id} is disabled: let them in again first")
            await self._answer_for(caller, person_id)
            await self._write(caller, "people:sign-in-link", account.person, reason)
            return await self._sign_in.make_link_code(person_id, is_first=False)

    async def link(self, caller: Person, person_id: str, channel: str, address: str, reason: str) -> None:
        """Where a person is in a channel; "" for nowhere. Raises PersonUnknown, PersonConflict."""
        async with self._stores.transactions.transaction():
            account = await self.account(caller, person_id)
            await self._stores.people.link(person_id, channel, address)
            if address and channel == OPENID and not _is_of_mesh(caller):
                # for themselves as well: whom they link is theirs with all that the provider's groups are worth
                await self._stores.people.add_sponsor(person_id, caller.id)
            elif address:
                await self._answer_for(caller, person_id)
            await self._write(caller, "people:link", account.person, f"{channel}:{address} {reason}".strip())

    async def certificates(self, caller: Person, person_id: str) -> list[CertificateName]:
        """The names of a person's client certificates. Raises PersonUnknown."""
        await self.account(caller, person_id)
        return await self._stores.sign_in.certificates(person_id)

    async def add_certificate(self, caller: Person, person_id: str, name: CertificateName, reason: str) -> None:
        """Tell a person by client certificates of this name. Raises PersonUnknown, PersonConflict, NotAppointed."""
        async with self._stores.transactions.transaction():
            account = await self.account(caller, person_id)
            if name.kind is not CertificateKind.FINGERPRINT and not _is_of_mesh(caller):
                # whose certificates bear a name that somebody else has as well would be nobody any more
                raise NotAppointed(
                    f"{caller.id} may give one certificate, by its fingerprint: names are given by owners of the mesh"
                )
            await self._stores.sign_in.add_certificate(person_id, name)
            await self._answer_for(caller, person_id)
            await self._write(caller, "people:certificate", account.person, f"{name} {reason}".strip())

    async def remove_certificate(self, caller: Person, person_id: str, name: CertificateName, reason: str) -> bool:
        """Tell the person by them no more, from the next request on; returns whether that was still to be done.

        Raises PersonUnknown.
        """
        async with self._stores.transactions.transaction():
            account = await self.account(caller, person_id)
            is_done = await self._stores.sign_in.remove_certificate(person_id, name)
            if is_done:
                await self._write(caller, "people:no-certificate", account.person, f"{name} {reason}".strip())
            return is_done

    async def confirm(self, caller: Person, person_id: str, reason: str) -> None:
        """Say that a person is in nobody's hand but their own. Raises PersonUnknown, NotAppointed.

        Whoever gave them the code for their password may have set it by that code, or may do so still: their password,
        codes, sessions and API keys end, and they need another code.
        """
        async with self._stores.transactions.transaction():
            account = await self.account(caller, person_id)
            sponsors = await self._stores.people.sponsors()
            common = answerable(sponsors, caller.id) & answerable(sponsors, person_id)
            if common and not _is_of_mesh(caller):
                raise NotAppointed(f"{person_id} must be confirmed by somebody else than {min(common)}")
            if person_id in await self._stores.people.addresses(OPENID) and not _is_of_mesh(caller):
                raise NotAppointed(f"{person_id} signs in at a provider: an owner of the whole mesh confirms them")
            if any(sponsor != person_id for sponsor in sponsors.get(person_id, ())):
                await self._end_ways_in(person_id)
            await self._stores.people.forget_sponsors(person_id)
            await self._write(caller, "people:confirm", account.person, reason)

    async def sponsors(self) -> dict[str, frozenset[str]]:
        """Who answers for each person for whom somebody else does."""
        return await self._stores.people.sponsors()

    async def _end_ways_in(self, person_id: str) -> None:
        await self._stores.sign_in.set_password(person_id, "")
        await self._stores.sign_in.end_codes(person_id)
        await self._stores.sign_in.end_sessions(person_id)
        for key in await self._stores.sign_in.keys():
            if key.person_id == person_id and not key.is_revoked:
                await self._stores.sign_in.revoke_key(key.id)

    async def _answer_for(self, caller: Person, person_id: str) -> None:
        """Note that who gave a person the means to sign in answers for them.

        Owners of the whole mesh answer for nobody: they publish the rules that ask for two people.
        """
        if caller.id != person_id and not _is_of_mesh(caller):
            await self._stores.people.add_sponsor(person_id, caller.id)

    async def _write(self, caller: Person, action: str, person: Person, reason: str) -> None:
        roles = ", ".join(str(binding) for binding in person.roles) or "no role"
        groups = f" in {', '.join(sorted(person.groups))}" if person.groups else ""
        words = f"{roles}{groups}" if action in ("people:add", "people:appoint") else ""
        why = ": ".join(filter(None, (words, reason)))
        await self._stores.changes.append(Act(self._clock.now(), caller.id, action, person.id, domain_of(person), why))


def _is_of_mesh(caller: Person) -> bool:
    return may(caller, Permission.APPOINT_PEOPLE, WHOLE_MESH)


def _covers(caller: Person, permission: Permission, person: Person) -> bool:
    domains = [binding.domain for binding in person.roles] or [WHOLE_MESH]
    return all(may(caller, permission, domain) for domain in domains)


def _require(caller: Person, person: Person) -> None:
    if not _covers(caller, Permission.APPOINT_PEOPLE, person):
        raise NotAppointed(f"{caller.id} may not give these roles: each must be where {caller.id} may appoint people")


def domain_of(person: Person) -> str:
    """Where a change of this person is: the domain of all their roles, else the whole mesh."""
    domains = {str(binding.domain) for binding in person.roles}
    return domains.pop() if len(domains) == 1 else str(WHOLE_MESH)
